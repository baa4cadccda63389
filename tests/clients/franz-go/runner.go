package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// No scenario may take longer.
const longest = 45 * time.Second

var (
	bootstrap = "127.0.0.1:9092"
	run       = random()
)

// A scenario has failed where it panics or returns an error.
type scenario struct {
	name string
	run  func(context.Context) error
}

func random() string {
	bytes := make([]byte, 4)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return hex.EncodeToString(bytes)
}

// A topic or group name that no other run used.
func fresh(name string) string { return name + "-" + run + "-" + random() }

func equal(got, wanted any, what string) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Errorf("%s: got %.200v, wanted %.200v", what, got, wanted))
	}
}

func check(condition bool, what string, about ...any) {
	if !condition {
		panic(fmt.Errorf(what, about...))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// The value of a call that may not fail.
func get[T any](value T, err error) T {
	must(err)
	return value
}

func refused(err, wanted error) {
	check(errors.Is(err, wanted), "refused with %v instead of %v", err, wanted)
}

func client(options ...kgo.Opt) *kgo.Client {
	base := []kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	return get(kgo.NewClient(append(base, options...)...))
}

func admin() *kadm.Client { return kadm.NewClient(client()) }

func create(ctx context.Context, topic string, partitions int32, configs map[string]string) string {
	admin := admin()
	defer admin.Close()
	values := map[string]*string{}
	for key, value := range configs {
		values[key] = kadm.StringPtr(value)
	}
	_, err := admin.CreateTopic(ctx, partitions, 1, values, topic)
	must(err)
	return topic
}

// Sends and waits for every answer.
func send(ctx context.Context, records []*kgo.Record, options ...kgo.Opt) []*kgo.Record {
	client := client(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...)
	defer client.Close()
	results := client.ProduceSync(ctx, records...)
	must(results.FirstErr())
	return records
}

// Polls until `count` records came.
func take(ctx context.Context, client *kgo.Client, count int) []*kgo.Record {
	var records []*kgo.Record
	for len(records) < count {
		fetches := client.PollRecords(ctx, count-len(records))
		must(fetches.Err())
		records = append(records, fetches.Records()...)
	}
	return records
}

func nothingMore(client *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	fetches := client.PollFetches(ctx)
	check(fetches.NumRecords() == 0, "%d records too many", fetches.NumRecords())
}

func read(ctx context.Context, topic string, partition int32, at kgo.Offset, count int) []*kgo.Record {
	client := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: at}}))
	defer client.Close()
	return take(ctx, client, count)
}

func start() kgo.Offset { return kgo.NewOffset().AtStart() }

func values(records []*kgo.Record) []string {
	texts := []string{}
	for _, record := range records {
		texts = append(texts, string(record.Value))
	}
	return texts
}

func numbers(count int, partitions int32, topic string) []*kgo.Record {
	records := []*kgo.Record{}
	for n := range count {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(n) % partitions, Value: fmt.Append(nil, n)})
	}
	return records
}

// Calls `condition` until it is true; it has to wait by itself.
func until(what string, condition func() bool) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if condition() {
			return
		}
	}
	panic(fmt.Errorf("never came: %s", what))
}

func play(one scenario) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintf(os.Stderr, "%s\n%s\n", one.name, debug.Stack())
			err = fmt.Errorf("%v", problem)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	return one.run(ctx)
}

// Prints a line for each scenario; see tests/src/foreign.rs for their form.
func main() {
	if len(os.Args) > 1 {
		bootstrap = os.Args[1]
	}
	chosen := []scenario{}
	for _, one := range scenarios {
		if len(os.Args) < 3 || strings.Contains(strings.Join(os.Args[2:], " "), one.name) {
			chosen = append(chosen, one)
		}
	}
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/twmb/franz-go" {
			fmt.Println("version", module.Version)
		}
	}
	fmt.Print("plan")
	for _, one := range chosen {
		fmt.Print(" ", one.name)
	}
	fmt.Println()
	failed := false
	for _, one := range chosen {
		begun := time.Now()
		if err := play(one); err != nil {
			failed = true
			fmt.Printf("FAIL %s: %s\n", one.name, strings.Join(strings.Fields(err.Error()), " "))
		} else {
			fmt.Printf("ok %s %d\n", one.name, time.Since(begun).Milliseconds())
		}
	}
	if failed {
		os.Exit(1)
	}
}
