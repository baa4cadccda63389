package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var scenarios = []scenario{
	{"cluster_is_described", clusterIsDescribed},
	{"topics_are_created_described_and_deleted", topicsAreCreated},
	{"every_codec_comes_back", everyCodec},
	{"append_time_is_the_servers", appendTime},
	{"large_records_pass_up_to_the_limit", largeRecords},
	{"weaker_acks_are_answered", weakerAcks},
	{"idempotent_producer_writes_once_and_in_order", idempotent},
	{"consumer_starts_anywhere", consumerStarts},
	{"offset_out_of_range_resets", outOfRange},
	{"waiting_fetch_sees_what_comes", waitingFetch},
	{"group_resumes_at_its_commit", groupResumes},
	{"members_join_and_leave_by_range", func(ctx context.Context) error { return share(ctx, kgo.RangeBalancer()) }},
	{"members_join_and_leave_cooperatively", func(ctx context.Context) error { return share(ctx, kgo.CooperativeStickyBalancer()) }},
	{"static_member_keeps_its_place", staticMember},
	{"pattern_subscribes", pattern},
	{"groups_are_described_and_deleted", groups},
	{"configs_are_altered_and_described", configs},
	{"offsets_are_listed", offsetsAreListed},
	{"records_are_deleted", recordsAreDeleted},
	{"tombstones_of_a_compacted_topic", tombstones},
	{"log_directories_and_producers_are_described", directories},
	{"leaders_are_elected", elections},
	{"every_announced_version_is_known", announced},
}

func clusterIsDescribed(ctx context.Context) error {
	admin := admin()
	defer admin.Close()
	metadata := get(admin.BrokerMetadata(ctx))
	check(metadata.Cluster != "", "no cluster id")
	equal(len(metadata.Brokers), 1, "brokers")
	equal(metadata.Controller, metadata.Brokers[0].NodeID, "controller")
	return nil
}

func topicsAreCreated(ctx context.Context) error {
	admin := admin()
	defer admin.Close()
	topic := create(ctx, fresh("create"), 3, map[string]string{"retention.ms": "123456"})
	listed := get(admin.ListTopics(ctx, topic))[topic]
	must(listed.Err)
	equal(len(listed.Partitions), 3, "partitions")
	for _, partition := range listed.Partitions.Sorted() {
		must(partition.Err)
		equal(partition.ISR, []int32{partition.Leader}, "in-sync replicas")
	}
	_, err := admin.CreateTopic(ctx, 1, 1, nil, topic)
	refused(err, kerr.TopicAlreadyExists)
	_, err = admin.CreateTopic(ctx, 1, 1, nil, "no/slash")
	refused(err, kerr.InvalidTopicException)
	_, err = admin.CreateTopic(ctx, 1, 3, nil, fresh("three"))
	refused(err, kerr.InvalidReplicationFactor)
	_, err = admin.CreateTopic(ctx, 0, 1, nil, fresh("none"))
	refused(err, kerr.InvalidPartitions)
	_, err = admin.CreateTopic(ctx, 1, 1, map[string]*string{"no.such.config": kadm.StringPtr("1")}, fresh("config"))
	refused(err, kerr.InvalidConfig)
	must(get(admin.UpdatePartitions(ctx, 5, topic)).Error())
	until("five partitions", func() bool { return len(get(admin.ListTopics(ctx, topic))[topic].Partitions) == 5 })
	refused(get(admin.UpdatePartitions(ctx, 4, topic)).Error(), kerr.InvalidPartitions)
	send(ctx, []*kgo.Record{{Topic: topic, Partition: 4, Value: []byte("x")}})
	equal(values(read(ctx, topic, 4, start(), 1)), []string{"x"}, "new partition")
	_, err = admin.DeleteTopic(ctx, topic)
	must(err)
	refused(get(admin.ListTopics(ctx, topic))[topic].Err, kerr.UnknownTopicOrPartition)
	_, err = admin.DeleteTopic(ctx, topic)
	refused(err, kerr.UnknownTopicOrPartition)
	return nil
}

func everyCodec(ctx context.Context) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	begin := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for name, codec := range codecs {
		topic := create(ctx, fresh("codec-"+name), 1, nil)
		sent := []*kgo.Record{}
		for n := range 400 {
			record := &kgo.Record{Topic: topic, Timestamp: begin.Add(time.Duration(n) * time.Millisecond)}
			if n%7 != 0 {
				record.Key = fmt.Appendf(nil, "key-%d", n)
			}
			if n%11 != 0 {
				record.Value = bytes.Repeat(fmt.Appendf(nil, "value-%d-", n), n%40)
			}
			if n%3 == 0 {
				record.Headers = []kgo.RecordHeader{{Key: "h", Value: fmt.Append(nil, n)}, {Key: "h", Value: []byte{}}, {Key: "none"}}
			}
			sent = append(sent, record)
		}
		send(ctx, sent, kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(20*time.Millisecond))
		for n, got := range read(ctx, topic, 0, start(), len(sent)) {
			wanted := sent[n]
			equal(got.Offset, int64(n), name+": offset")
			equal(wanted.Offset, int64(n), name+": offset answered")
			equal(got.Key, wanted.Key, name+": key")
			equal(string(got.Value), string(wanted.Value), name+": value")
			equal(got.Value == nil, n%11 == 0, name+": tombstone")
			equal(len(got.Headers), len(wanted.Headers), name+": headers")
			for at, header := range got.Headers {
				equal(header.Key, wanted.Headers[at].Key, name+": header")
				equal(string(header.Value), string(wanted.Headers[at].Value), name+": header's value")
			}
			equal(got.Timestamp.UnixMilli(), wanted.Timestamp.UnixMilli(), name+": timestamp")
		}
	}
	return nil
}

func appendTime(ctx context.Context) error {
	topic := create(ctx, fresh("append-time"), 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	before := time.Now().Add(-time.Second)
	send(ctx, []*kgo.Record{{Topic: topic, Value: []byte("x"), Timestamp: time.UnixMilli(1000)}})
	got := read(ctx, topic, 0, start(), 1)[0]
	equal(got.Attrs.TimestampType(), int8(1), "timestamp type")
	check(got.Timestamp.After(before) && got.Timestamp.Before(time.Now().Add(time.Second)), "append time %v", got.Timestamp)
	return nil
}

func largeRecords(ctx context.Context) error {
	topic := create(ctx, fresh("large"), 1, map[string]string{"max.message.bytes": "3000000"})
	large := bytes.Repeat([]byte("0123456789abcdef"), 160_000)
	send(ctx, []*kgo.Record{{Topic: topic, Value: large}, {Topic: topic, Value: []byte("after")}}, kgo.ProducerBatchMaxBytes(4_000_000))
	equal(values(read(ctx, topic, 0, start(), 2)), []string{string(large), "after"}, "large record")
	narrow := create(ctx, fresh("narrow"), 1, map[string]string{"max.message.bytes": "10000"})
	producer := client(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer producer.Close()
	err := producer.ProduceSync(ctx, &kgo.Record{Topic: narrow, Value: large[:20_000]}).FirstErr()
	refused(err, kerr.MessageTooLarge)
	return nil
}

func weakerAcks(ctx context.Context) error {
	for _, acks := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
		topic := create(ctx, fresh("acks"), 1, nil)
		send(ctx, numbers(100, 1, topic), kgo.RequiredAcks(acks), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
		equal(values(read(ctx, topic, 0, start(), 100)), values(numbers(100, 1, topic)), "records")
	}
	return nil
}

func idempotent(ctx context.Context) error {
	topic := create(ctx, fresh("idempotent"), 2, nil)
	send(ctx, numbers(4000, 2, topic), kgo.ProducerBatchMaxBytes(600))
	for partition := range int32(2) {
		wanted := []string{}
		for n := int(partition); n < 4000; n += 2 {
			wanted = append(wanted, fmt.Sprint(n))
		}
		equal(values(read(ctx, topic, partition, start(), 2000)), wanted, "order")
	}
	return nil
}

func consumerStarts(ctx context.Context) error {
	topic := create(ctx, fresh("seek"), 1, nil)
	begin := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	records := numbers(100, 1, topic)
	for n, record := range records {
		record.Timestamp = begin.Add(time.Duration(n) * time.Second)
	}
	send(ctx, records)
	for _, one := range []struct {
		at     kgo.Offset
		wanted string
	}{
		{kgo.NewOffset().AtStart(), "0"},
		{kgo.NewOffset().At(42), "42"},
		{kgo.NewOffset().AtEnd().Relative(-3), "97"},
		{kgo.NewOffset().AfterMilli(begin.Add(50_001 * time.Millisecond).UnixMilli()), "51"},
	} {
		equal(values(read(ctx, topic, 0, one.at, 1)), []string{one.wanted}, one.at.String())
	}
	return nil
}

func outOfRange(ctx context.Context) error {
	topic := create(ctx, fresh("reset"), 1, nil)
	send(ctx, numbers(10, 1, topic))
	equal(values(read(ctx, topic, 0, kgo.NewOffset().At(1000), 1)), []string{"0"}, "reset to the earliest")
	strict := client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(1000)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	defer strict.Close()
	refused(strict.PollFetches(ctx).Err(), kerr.OffsetOutOfRange)
	return nil
}

func waitingFetch(ctx context.Context) error {
	topic := create(ctx, fresh("wait"), 1, nil)
	consumer := client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtEnd()}}),
		kgo.FetchMaxWait(20*time.Second),
	)
	defer consumer.Close()
	nothingMore(consumer)
	begun := time.Now()
	send(ctx, []*kgo.Record{{Topic: topic, Value: []byte("new")}})
	equal(values(take(ctx, consumer, 1)), []string{"new"}, "record")
	check(time.Since(begun) < 5*time.Second, "the fetch slept on for %v", time.Since(begun))
	return nil
}

func member(topic, group string, options ...kgo.Opt) *kgo.Client {
	base := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.HeartbeatInterval(200 * time.Millisecond), kgo.SessionTimeout(10 * time.Second),
	}
	return client(append(base, options...)...)
}

func groupResumes(ctx context.Context) error {
	topic, group := create(ctx, fresh("resume"), 2, nil), fresh("resume")
	send(ctx, numbers(200, 2, topic))
	first := member(topic, group)
	taken := take(ctx, first, 90)
	must(first.CommitRecords(ctx, taken...))
	first.Close()
	admin := admin()
	defer admin.Close()
	committed := int64(0)
	get(admin.FetchOffsets(ctx, group)).Each(func(one kadm.OffsetResponse) { committed += one.At })
	equal(committed, int64(90), "committed")
	second := member(topic, group)
	defer second.Close()
	all := append(taken, take(ctx, second, 110)...)
	nothingMore(second)
	seen := values(all)
	slices.Sort(seen)
	equal(len(slices.Compact(seen)), 200, "each record once")
	return nil
}

// Three members come, share six partitions, and leave one after the other.
func share(ctx context.Context, balancer kgo.GroupBalancer) error {
	topic, group := create(ctx, fresh("share"), 6, nil), fresh("share")
	var lock sync.Mutex
	owned := map[int][]int32{}
	join := func(number int) *kgo.Client {
		change := func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			lock.Lock()
			defer lock.Unlock()
			owned[number] = append(owned[number], parts[topic]...)
		}
		remove := func(_ context.Context, _ *kgo.Client, parts map[string][]int32) {
			lock.Lock()
			defer lock.Unlock()
			owned[number] = slices.DeleteFunc(owned[number], func(one int32) bool { return slices.Contains(parts[topic], one) })
		}
		return member(topic, group, kgo.Balancers(balancer), kgo.OnPartitionsAssigned(change), kgo.OnPartitionsRevoked(remove), kgo.OnPartitionsLost(remove))
	}
	settled := func(members []*kgo.Client, wanted []int) {
		until(fmt.Sprint(wanted, " partitions each"), func() bool {
			for _, member := range members {
				short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
				member.PollFetches(short)
				cancel()
			}
			lock.Lock()
			defer lock.Unlock()
			counts, all := []int{}, []int32{}
			for _, one := range owned {
				if len(one) > 0 {
					counts = append(counts, len(one))
				}
				all = append(all, one...)
			}
			slices.Sort(counts)
			slices.Sort(all)
			return slices.Equal(counts, wanted) && slices.Equal(all, []int32{0, 1, 2, 3, 4, 5})
		})
	}
	members := []*kgo.Client{}
	for number, wanted := range [][]int{{6}, {3, 3}, {2, 2, 2}} {
		members = append(members, join(number))
		settled(members, wanted)
	}
	members[1].Close()
	settled([]*kgo.Client{members[0], members[2]}, []int{3, 3})
	members[0].Close()
	settled(members[2:], []int{6})
	members[2].Close()
	return nil
}

func staticMember(ctx context.Context) error {
	topic, group := create(ctx, fresh("static"), 1, nil), fresh("static")
	send(ctx, numbers(2, 1, topic))
	first := member(topic, group, kgo.InstanceID("a"))
	taken := take(ctx, first, 1)
	must(first.CommitRecords(ctx, taken...))
	first.Close()
	admin := admin()
	defer admin.Close()
	// A static member that closes does not leave.
	described := get(admin.DescribeGroups(ctx, group))[group]
	equal(len(described.Members), 1, "members after a close")
	equal(*described.Members[0].InstanceID, "a", "instance")
	second := member(topic, group, kgo.InstanceID("a"))
	defer second.Close()
	equal(values(take(ctx, second, 1)), []string{"1"}, "where it left off")
	left := get(admin.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs("a")))
	must(left["a"].Err)
	return nil
}

func pattern(ctx context.Context) error {
	prefix := fresh("pattern")
	for n := range 2 {
		topic := create(ctx, fmt.Sprintf("%s-%d", prefix, n), 1, nil)
		send(ctx, []*kgo.Record{{Topic: topic, Value: fmt.Append(nil, n)}})
	}
	client := client(kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+prefix+"-.*"))
	defer client.Close()
	got := values(take(ctx, client, 2))
	slices.Sort(got)
	equal(got, []string{"0", "1"}, "both topics")
	return nil
}

func groups(ctx context.Context) error {
	topic, group := create(ctx, fresh("groups"), 2, nil), fresh("groups")
	send(ctx, numbers(2, 2, topic))
	one := member(topic, group, kgo.ClientID("who"))
	must(one.CommitRecords(ctx, take(ctx, one, 2)...))
	admin := admin()
	defer admin.Close()
	described := get(admin.DescribeGroups(ctx, group))[group]
	equal(described.State, "Stable", "state")
	equal(described.Members[0].ClientID, "who", "client id")
	equal(len(described.AssignedPartitions()[topic]), 2, "assignment")
	_, err := admin.DeleteGroup(ctx, group)
	refused(err, kerr.NonEmptyGroup)
	one.Close()
	listed := get(admin.ListGroups(ctx))
	equal(listed[group].State, "Empty", "state after the last member left")
	lag := get(admin.Lag(ctx, group))[group]
	must(lag.Error())
	equal(lag.Lag.Total(), int64(0), "lag")
	moved := kadm.Offsets{}
	moved.Add(kadm.Offset{Topic: topic, Partition: 0, At: 7, LeaderEpoch: -1, Metadata: "why seven"})
	must(admin.CommitAllOffsets(ctx, group, moved))
	fetched := get(admin.FetchOffsets(ctx, group))
	at, _ := fetched.Lookup(topic, 0)
	equal([]any{at.At, at.Metadata}, []any{int64(7), "why seven"}, "commit by hand")
	removed := get(admin.DeleteOffsets(ctx, group, kadm.TopicsSet{topic: {1: {}}}))
	must(removed.Error())
	_, there := get(admin.FetchOffsets(ctx, group)).Lookup(topic, 1)
	check(!there, "an offset that was deleted")
	_, err = admin.DeleteGroup(ctx, group)
	must(err)
	_, err = admin.DeleteGroup(ctx, group)
	refused(err, kerr.GroupIDNotFound)
	return nil
}

func configs(ctx context.Context) error {
	topic := create(ctx, fresh("configs"), 1, nil)
	admin := admin()
	defer admin.Close()
	described := func() map[string]string {
		found := map[string]string{}
		for _, entry := range get(get(admin.DescribeTopicConfigs(ctx, topic)).On(topic, nil)).Configs {
			found[entry.Key] = entry.MaybeValue()
		}
		return found
	}
	alter := func(op kadm.IncrementalOp, name, value string) error {
		results := get(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: name, Value: &value}}, topic))
		return results[0].Err
	}
	must(alter(kadm.SetConfig, "retention.ms", "12345"))
	must(alter(kadm.AppendConfig, "cleanup.policy", "compact"))
	after := described()
	equal(after["retention.ms"], "12345", "retention.ms")
	check(strings.Contains(after["cleanup.policy"], "compact") && strings.Contains(after["cleanup.policy"], "delete"), "cleanup.policy %s", after["cleanup.policy"])
	check(len(after) > 25, "only %d configurations", len(after))
	must(alter(kadm.DeleteConfig, "retention.ms", ""))
	equal(described()["retention.ms"], "604800000", "after delete")
	refused(alter(kadm.SetConfig, "no.such.config", "1"), kerr.InvalidConfig)
	refused(alter(kadm.SetConfig, "retention.ms", "soon"), kerr.InvalidConfig)
	broker := get(admin.DescribeBrokerConfigs(ctx, get(admin.BrokerMetadata(ctx)).Controller))
	check(len(broker[0].Configs) > 200, "only %d configurations of the broker", len(broker[0].Configs))
	return nil
}

func offsetsAreListed(ctx context.Context) error {
	topic := create(ctx, fresh("list"), 1, nil)
	begin := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for _, n := range []int64{3, 1, 9, 4} {
		send(ctx, []*kgo.Record{{Topic: topic, Value: []byte("x"), Timestamp: begin.Add(time.Duration(n) * time.Second)}})
	}
	admin := admin()
	defer admin.Close()
	at := func(listed kadm.ListedOffsets, err error) int64 {
		must(err)
		one, _ := listed.Lookup(topic, 0)
		must(one.Err)
		return one.Offset
	}
	equal(at(admin.ListStartOffsets(ctx, topic)), int64(0), "start")
	equal(at(admin.ListEndOffsets(ctx, topic)), int64(4), "end")
	equal(at(admin.ListCommittedOffsets(ctx, topic)), int64(4), "last stable offset")
	equal(at(admin.ListMaxTimestampOffsets(ctx, topic)), int64(2), "largest timestamp")
	equal(at(admin.ListLocalLogStartOffsets(ctx, topic)), int64(0), "local start")
	equal(at(admin.ListOffsetsAfterMilli(ctx, begin.Add(3001*time.Millisecond).UnixMilli(), topic)), int64(2), "after a time")
	return nil
}

func recordsAreDeleted(ctx context.Context) error {
	topic := create(ctx, fresh("records"), 1, nil)
	send(ctx, numbers(20, 1, topic))
	admin := admin()
	defer admin.Close()
	cut := func(at int64) (int64, error) {
		offsets := kadm.Offsets{}
		offsets.AddOffset(topic, 0, at, -1)
		done, _ := get(admin.DeleteRecords(ctx, offsets)).Lookup(topic, 0)
		return done.LowWatermark, done.Err
	}
	equal(get(cut(12)), int64(12), "low watermark")
	equal(values(read(ctx, topic, 0, start(), 1)), []string{"12"}, "what is left")
	_, err := cut(100)
	refused(err, kerr.OffsetOutOfRange)
	equal(get(cut(-1)), int64(20), "all")
	return nil
}

func tombstones(ctx context.Context) error {
	topic := create(ctx, fresh("compact"), 1, map[string]string{"cleanup.policy": "compact"})
	producer := client()
	defer producer.Close()
	refused(producer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("no key")}).FirstErr(), kerr.InvalidRecord)
	send(ctx, []*kgo.Record{{Topic: topic, Key: []byte("k"), Value: []byte("1")}, {Topic: topic, Key: []byte("k")}})
	got := read(ctx, topic, 0, start(), 2)
	check(got[1].Value == nil && string(got[1].Key) == "k", "tombstone %v", got[1])
	return nil
}

func directories(ctx context.Context) error {
	topic := create(ctx, fresh("dirs"), 1, nil)
	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	must(producer.ProduceSync(ctx, numbers(10, 1, topic)...).FirstErr())
	admin := admin()
	defer admin.Close()
	found := get(admin.DescribeAllLogDirs(ctx, nil))
	size := int64(0)
	found.Each(func(dir kadm.DescribedLogDir) {
		must(dir.Err)
		if one, ok := dir.Topics.Lookup(topic, 0); ok {
			size = one.Size
		}
	})
	check(size > 0, "no directory has the topic")
	producers := get(admin.DescribeProducers(ctx, kadm.TopicsSet{topic: {0: {}}}))
	equal(len(producers[topic].Partitions[0].ActiveProducers), 1, "producers")
	return nil
}

func elections(ctx context.Context) error {
	topic := create(ctx, fresh("elect"), 1, nil)
	admin := admin()
	defer admin.Close()
	results := get(admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, kadm.TopicsSet{topic: {0: {}}}))
	refused(results[topic][0].Err, kerr.ElectionNotNeeded)
	epochs := kadm.OffsetForLeaderEpochRequest{}
	epochs.Add(topic, 0, 0)
	found := get(admin.OffsetForLeaderEpoch(ctx, epochs))
	must(found[topic][0].Err)
	return nil
}

// What the server announces has to be what this client knows too: a version beyond Kafka's would be a lie.
func announced(ctx context.Context) error {
	admin := admin()
	defer admin.Close()
	for _, broker := range get(admin.ApiVersions(ctx)) {
		must(broker.Err)
		broker.EachKeySorted(func(key, low, high int16) {
			request := kmsg.RequestForKey(key)
			check(request != nil, "no API has the key %d", key)
			check(low <= high && high <= request.MaxVersion(), "%s: %d-%d, known up to %d", kmsg.NameForKey(key), low, high, request.MaxVersion())
		})
	}
	return nil
}
