// Scenarios of KafkaJS, a lineage of its own in pure JavaScript, which speaks old versions of every API.

import { readFileSync } from 'node:fs'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { bootstrap, check, equal, fresh, main, promised, scenario, until } from './scenario.mjs'

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel, PartitionAssigners } = kafkajs
CompressionCodecs[CompressionTypes.Snappy] = snappy

const kafka = new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, retries: 4 } })
const admin = kafka.admin()

async function create (topic, partitions = 1, configs = {}) {
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value: String(value) }))
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }] })
  return topic
}

async function refusal (promise) {
  try {
    await promise
  } catch (error) {
    // Refusals of several topics come together.
    return (error.errors?.[0] ?? error).type ?? error.cause?.type ?? error.name
  }
  throw new Error('not refused')
}

async function send (topic, messages, options = {}, producing = {}) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, ...producing })
  await producer.connect()
  try {
    return await producer.send({ topic, messages, ...options })
  } finally {
    await producer.disconnect()
  }
}

const numbers = (count, partitions = 1) => Array.from({ length: count }, (_, n) => ({ value: String(n), partition: n % partitions }))

// A running member; `seen` grows, and `on(change)` is called after each record and each rebalance.
async function member (topics, groupId, options = {}, running = {}) {
  const consumer = kafka.consumer({ groupId, heartbeatInterval: 200, sessionTimeout: 10_000, rebalanceTimeout: 10_000, maxWaitTimeInMs: 100, ...options })
  const seen = []
  const watchers = new Set()
  const one = { consumer, seen, owned: [], on: change => watchers.add(change) }
  const changed = () => watchers.forEach(change => change())
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    one.owned = Object.values(payload.memberAssignment).flat()
    changed()
  })
  await consumer.connect()
  await consumer.subscribe({ topics, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    ...running,
    eachMessage: async ({ topic, partition, message }) => {
      seen.push({ topic, partition, ...message })
      changed()
    }
  })
  return one
}

// Reads a whole topic in a group of its own.
async function read (topic, count, before = () => {}) {
  const one = await member([topic], fresh('reader'))
  before(one.consumer)
  await until(`${count} records`, () => one.seen.length >= count, one.on)
  await one.consumer.disconnect()
  return one.seen.sort((a, b) => Number(a.offset) - Number(b.offset))
}

const texts = records => records.map(record => record.value?.toString() ?? null)

scenario('cluster_is_described', async () => {
  const cluster = await admin.describeCluster()
  check(cluster.clusterId, 'no cluster id')
  equal(cluster.brokers.length, 1, 'brokers')
  equal(cluster.controller, cluster.brokers[0].nodeId, 'controller')
})

scenario('topics_are_created_described_and_deleted', async () => {
  const topic = await create(fresh('create'), 3)
  const { topics: [described] } = await admin.fetchTopicMetadata({ topics: [topic] })
  equal(described.partitions.map(one => one.partitionId).sort(), [0, 1, 2], 'partitions')
  check((await admin.listTopics()).includes(topic), 'not listed')
  equal(await refusal(admin.createTopics({ topics: [{ topic: 'no/slash' }] })), 'INVALID_TOPIC_EXCEPTION', 'bad name')
  equal(await admin.createTopics({ topics: [{ topic }] }), false, 'made twice')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  const { topics: [grown] } = await admin.fetchTopicMetadata({ topics: [topic] })
  equal(grown.partitions.length, 5, 'partitions after adding')
  await send(topic, [{ value: 'x', partition: 4 }])
  await admin.deleteTopics({ topics: [topic] })
  check(!(await admin.listTopics()).includes(topic), 'still listed')
})

scenario('codecs_come_back', async () => {
  const begin = Date.now() - 3_600_000
  for (const codec of [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.Snappy]) {
    const topic = await create(fresh('codec'))
    const sent = Array.from({ length: 300 }, (_, n) => ({
      key: n % 7 === 0 ? null : `key-${n}`,
      value: n % 11 === 0 ? null : `value-${n}-`.repeat(n % 40),
      headers: n % 3 === 0 ? { h: String(n), empty: '' } : {},
      timestamp: String(begin + n)
    }))
    const [answer] = await send(topic, sent, { compression: codec })
    equal(answer.baseOffset, '0', 'base offset')
    for (const [n, got] of (await read(topic, 300)).entries()) {
      equal(got.offset, String(n), `${codec}: offset`)
      equal(got.key?.toString() ?? null, sent[n].key, `${codec}: key`)
      equal(got.value?.toString() ?? null, sent[n].value, `${codec}: value`)
      equal(got.timestamp, sent[n].timestamp, `${codec}: timestamp`)
      const headers = Object.fromEntries(Object.entries(got.headers).map(([name, value]) => [name, value.toString()]))
      equal(headers, sent[n].headers, `${codec}: headers`)
    }
  }
})

scenario('every_acks_is_answered', async () => {
  for (const acks of [0, 1, -1]) {
    const topic = await create(fresh('acks'))
    await send(topic, numbers(100), { acks })
    equal(texts(await read(topic, 100)), texts(numbers(100)), `acks=${acks}`)
  }
})

scenario('idempotent_producer_writes_in_order', async () => {
  const topic = await create(fresh('idempotent'), 2)
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (let n = 0; n < 50; n++) {
    await producer.send({ topic, messages: [{ value: `${n}`, partition: 0 }, { value: `${n}`, partition: 1 }] })
  }
  await producer.disconnect()
  const got = await read(topic, 100)
  for (const partition of [0, 1]) {
    equal(texts(got.filter(one => one.partition === partition)), Array.from({ length: 50 }, (_, n) => `${n}`), 'order')
  }
})

scenario('large_records_pass_up_to_the_limit', async () => {
  const topic = await create(fresh('large'), 1, { 'max.message.bytes': 3_000_000 })
  const large = 'x'.repeat(2_500_000)
  await send(topic, [{ value: large }, { value: 'after' }])
  equal(texts(await read(topic, 2)), [large, 'after'], 'records')
  const narrow = await create(fresh('narrow'), 1, { 'max.message.bytes': 10_000 })
  equal(await refusal(send(narrow, [{ value: 'x'.repeat(20_000) }])), 'MESSAGE_TOO_LARGE', 'too large')
})

scenario('consumer_seeks', async () => {
  const topic = await create(fresh('seek'))
  const begin = Date.now() - 3_600_000
  await send(topic, numbers(100).map((one, n) => ({ ...one, timestamp: String(begin + n * 1000) })))
  const at = async time => (await admin.fetchTopicOffsetsByTimestamp(topic, time))[0].offset
  equal(await at(begin + 50_001), '51', 'time in between')
  equal(await at(begin + 1_000_000), '100', 'time after all')
  const [offsets] = await admin.fetchTopicOffsets(topic)
  equal([offsets.low, offsets.high], ['0', '100'], 'ends')
  const one = await member([topic], fresh('seeker'))
  one.consumer.seek({ topic, partition: 0, offset: '97' })
  await until('the end', () => one.seen.some(record => record.offset === '99'), one.on)
  one.seen.length = 0
  one.consumer.seek({ topic, partition: 0, offset: '42' })
  await until('after the seek', () => one.seen.some(record => record.offset === '42'), one.on)
  await one.consumer.disconnect()
})

scenario('group_resumes_at_its_commit', async () => {
  const topic = await create(fresh('resume'), 2)
  const group = fresh('resume')
  await send(topic, numbers(200, 2))
  const first = await member([topic], group)
  await until('all', () => first.seen.length >= 200, first.on)
  await first.consumer.commitOffsets([{ topic, partition: 0, offset: '60', metadata: 'why' }, { topic, partition: 1, offset: '30' }])
  await first.consumer.disconnect()
  const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  const sorted = committed.partitions.sort((a, b) => a.partition - b.partition)
  equal(sorted.map(one => [one.offset, one.metadata || '']), [['60', 'why'], ['30', '']], 'committed')
  const second = await member([topic], group)
  await until('the rest', () => second.seen.length >= 110, second.on)
  await second.consumer.disconnect()
  equal(second.seen.length, 110, 'records after the commit')
})

scenario('members_join_and_leave', async () => {
  const topic = await create(fresh('share'), 6)
  const group = fresh('share')
  const members = []
  const settled = counts => until(`${counts} partitions each`, () => {
    const owned = members.flatMap(one => one.owned)
    return owned.length === 6 && new Set(owned).size === 6 && members.map(one => one.owned.length).sort().join() === counts
  }, again => members.forEach(one => one.on(again)))
  for (const counts of ['6', '3,3', '2,2,2']) {
    members.push(await member([topic], group, { partitionAssigners: [PartitionAssigners.roundRobin] }))
    await settled(counts)
  }
  await members.pop().consumer.disconnect()
  await settled('3,3')
  await members.shift().consumer.disconnect()
  await settled('6')
  await members.pop().consumer.disconnect()
})

scenario('groups_are_described_and_deleted', async () => {
  const topic = await create(fresh('groups'))
  const group = fresh('groups')
  await send(topic, numbers(1))
  const one = await member([topic], group)
  await until('a record', () => one.seen.length === 1, one.on)
  const { groups: [described] } = await admin.describeGroups([group])
  equal([described.state, described.members.length], ['Stable', 1], 'state')
  check((await admin.listGroups()).groups.some(listed => listed.groupId === group), 'not listed')
  await one.consumer.disconnect()
  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '7' }] })
  const [moved] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  equal(moved.partitions[0].offset, '7', 'offset set')
  await admin.deleteGroups([group])
  check(!(await admin.listGroups()).groups.some(listed => listed.groupId === group), 'still listed')
})

scenario('configs_are_altered_and_described', async () => {
  const topic = await create(fresh('configs'))
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '12345' }] }] })
  const { resources: [described] } = await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })
  equal(described.configEntries.find(one => one.configName === 'retention.ms').configValue, '12345', 'retention.ms')
  check(described.configEntries.length > 25, `only ${described.configEntries.length} configurations`)
  const unknown = admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'no.such.config', value: '1' }] }] })
  equal(await refusal(unknown), 'INVALID_CONFIG', 'unknown configuration')
})

scenario('tombstones_of_a_compacted_topic', async () => {
  const topic = await create(fresh('compact'), 1, { 'cleanup.policy': 'compact' })
  check(await refusal(send(topic, [{ value: 'no key' }])), 'a record without key')
  await send(topic, [{ key: 'k', value: '1' }, { key: 'k', value: null }])
  equal(texts(await read(topic, 2)), ['1', null], 'records')
})

scenario('waiting_fetch_sees_what_comes', async () => {
  const topic = await create(fresh('wait'))
  const joined = promised()
  // A client that leaves waits for its last fetch, so this is also how long the scenario may take.
  const one = await member([topic], fresh('wait'), { maxWaitTimeInMs: 4000 })
  one.on(() => one.owned.length && joined.fulfil())
  await until('the assignment', () => one.owned.length === 1, one.on)
  const begun = performance.now()
  await send(topic, [{ value: 'new' }])
  await until('the record', () => one.seen.length === 1, one.on)
  check(performance.now() - begun < 2000, 'the fetch slept on')
  await one.consumer.disconnect()
})

await admin.connect()
await main(JSON.parse(readFileSync(new URL('node_modules/kafkajs/package.json', import.meta.url))).version)
