// Scenarios of @platformatic/kafka, a lineage of its own in JavaScript that speaks the newest versions.

import { readFileSync } from 'node:fs'
import { Admin, allowedCompressionsAlgorithms, compressionsAlgorithms, Consumer, MessagesStreamModes, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import { bootstrap, check, equal, fresh, main, scenario, until } from './scenario.mjs'

const base = { clientId: 'platformatic', bootstrapBrokers: [bootstrap], retries: 5, retryDelay: 50, timeout: 10_000 }
const admin = new Admin(base)

async function create (topic, partitions = 1, configs = {}) {
  await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: Object.entries(configs).map(([name, value]) => ({ name, value: String(value) })) })
  return topic
}

// The error's name in the protocol, wherever in the chain of causes it stands.
async function refusal (promise) {
  try {
    await promise
  } catch (error) {
    const names = one => [one.apiId, one.code, ...(one.errors ?? []).flatMap(names), ...(one.cause ? names(one.cause) : [])]
    return names(error).find(name => name && !String(name).startsWith('PLT_')) ?? error.message
  }
  throw new Error('not refused')
}

async function send (messages, options = {}, producing = {}) {
  const producer = new Producer({ ...base, serializers: stringSerializers, autocreateTopics: false, ...producing })
  try {
    return await producer.send({ messages, acks: -1, ...options })
  } finally {
    await producer.close()
  }
}

const numbers = (topic, count, partitions = 1) => Array.from({ length: count }, (_, n) => ({ topic, value: String(n), partition: n % partitions }))

async function member (topic, groupId, options = {}, streaming = {}) {
  const consumer = new Consumer({ ...base, groupId, deserializers: stringDeserializers, maxWaitTime: 100, minBytes: 1, sessionTimeout: 10_000, rebalanceTimeout: 10_000, heartbeatInterval: 200, ...options })
  const watchers = new Set()
  const changed = () => watchers.forEach(change => change())
  const one = { consumer, seen: [], on: change => watchers.add(change) }
  for (const event of ['consumer:group:join', 'consumer:group:rebalance']) consumer.on(event, changed)
  one.stream = await consumer.consume({ autocommit: false, topics: [topic], mode: MessagesStreamModes.COMMITTED, fallbackMode: 'earliest', ...streaming })
  one.stream.on('data', message => { one.seen.push(message); changed() })
  one.close = () => consumer.close(true)
  return one
}

async function read (topic, count, streaming = {}) {
  const one = await member(topic, fresh('reader'), {}, streaming)
  await until(`${count} records`, () => one.seen.length >= count, one.on)
  await one.close()
  return one.seen.sort((a, b) => Number(a.offset - b.offset))
}

const texts = messages => messages.map(message => message.value)

scenario('topics_are_created_described_and_deleted', async () => {
  const topic = await create(fresh('create'), 3)
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
  equal(metadata.topics.get(topic).partitions.length, 3, 'partitions')
  equal(metadata.brokers.size, 1, 'brokers')
  check((await admin.listTopics()).includes(topic), 'not listed')
  equal(await refusal(create(topic)), 'TOPIC_ALREADY_EXISTS', 'made twice')
  equal(await refusal(create('no/slash')), 'INVALID_TOPIC_EXCEPTION', 'bad name')
  equal(await refusal(create(fresh('config'), 1, { 'no.such.config': 1 })), 'INVALID_CONFIG', 'unknown configuration')
  await admin.createPartitions({ topics: [{ name: topic, count: 5 }] })
  equal((await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitions.length, 5, 'after adding')
  await admin.deleteTopics({ topics: [topic] })
  check(!(await admin.listTopics()).includes(topic), 'still listed')
  equal(await refusal(admin.deleteTopics({ topics: [topic] })), 'UNKNOWN_TOPIC_OR_PARTITION', 'deleted twice')
})

scenario('every_codec_comes_back', async () => {
  const begin = BigInt(Date.now()) - 3_600_000n
  for (const codec of allowedCompressionsAlgorithms) {
    // zstd needs a newer Node.
    if (!compressionsAlgorithms[codec].available) continue
    const topic = await create(fresh(`codec-${codec}`))
    const sent = Array.from({ length: 300 }, (_, n) => ({
      topic,
      partition: 0,
      key: n % 7 === 0 ? undefined : `key-${n}`,
      value: n % 11 === 0 ? undefined : `value-${n}-`.repeat(1 + n % 40),
      headers: n % 3 === 0 ? { h: String(n) } : {},
      timestamp: begin + BigInt(n)
    }))
    const { offsets } = await send(sent, { compression: codec })
    equal(offsets[0].offset, 0n, `${codec}: base offset`)
    for (const [n, got] of (await read(topic, 300)).entries()) {
      equal(got.offset, BigInt(n), `${codec}: offset`)
      equal(got.key || undefined, sent[n].key, `${codec}: key`)
      equal(got.value || undefined, sent[n].value, `${codec}: value`)
      equal(got.timestamp, sent[n].timestamp, `${codec}: timestamp`)
      equal(Object.fromEntries(got.headers), sent[n].headers, `${codec}: headers`)
    }
  }
})

scenario('every_acks_is_answered', async () => {
  for (const acks of [0, 1, -1]) {
    const topic = await create(fresh('acks'))
    await send(numbers(topic, 100), { acks })
    equal(texts(await read(topic, 100)), texts(numbers(topic, 100)), `acks=${acks}`)
  }
})

scenario('idempotent_producer_writes_in_order', async () => {
  const topic = await create(fresh('idempotent'), 2)
  const producer = new Producer({ ...base, serializers: stringSerializers, idempotent: true })
  for (let n = 0; n < 50; n++) await producer.send({ messages: [{ topic, value: `${n}`, partition: 0 }, { topic, value: `${n}`, partition: 1 }] })
  await producer.close()
  const got = await read(topic, 100)
  for (const partition of [0, 1]) {
    equal(texts(got.filter(one => one.partition === partition)), Array.from({ length: 50 }, (_, n) => `${n}`), 'order')
  }
})

scenario('large_records_pass_up_to_the_limit', async () => {
  const topic = await create(fresh('large'), 1, { 'max.message.bytes': 3_000_000 })
  const large = 'x'.repeat(2_500_000)
  await send([{ topic, value: large }, { topic, value: 'after' }])
  equal(texts(await read(topic, 2)), [large, 'after'], 'records')
  const narrow = await create(fresh('narrow'), 1, { 'max.message.bytes': 10_000 })
  equal(await refusal(send([{ topic: narrow, value: 'x'.repeat(20_000) }])), 'MESSAGE_TOO_LARGE', 'too large')
})

scenario('offsets_are_listed_and_read_from', async () => {
  const topic = await create(fresh('offsets'))
  const begin = BigInt(Date.now()) - 3_600_000n
  await send(numbers(topic, 100).map((one, n) => ({ ...one, timestamp: begin + BigInt(n) * 1000n })))
  const consumer = new Consumer({ ...base, groupId: fresh('list') })
  const at = async timestamp => (await consumer.listOffsets({ topics: [topic], timestamp })).get(topic)[0]
  equal([await at(-2n), await at(-1n), await at(begin + 50_001n)], [0n, 100n, 51n], 'offsets')
  await consumer.close()
  const from = await read(topic, 3, { mode: MessagesStreamModes.MANUAL, offsets: [{ topic, partition: 0, offset: 97n }] })
  equal(texts(from), ['97', '98', '99'], 'from an offset')
})

scenario('group_resumes_at_its_commit', async () => {
  const topic = await create(fresh('resume'), 2)
  const group = fresh('resume')
  await send(numbers(topic, 200, 2))
  const first = await member(topic, group)
  await until('all', () => first.seen.length >= 200, first.on)
  await first.consumer.commit({ offsets: [{ topic, partition: 0, offset: 60n, leaderEpoch: 0 }, { topic, partition: 1, offset: 30n, leaderEpoch: 0 }] })
  const committed = await first.consumer.listCommittedOffsets({ topics: [{ topic, partitions: [0, 1] }] })
  equal(committed.get(topic), [60n, 30n], 'committed')
  await first.close()
  const second = await member(topic, group)
  await until('the rest', () => second.seen.length >= 110, second.on)
  await second.close()
  equal(second.seen.length, 110, 'records after the commit')
})

scenario('members_join_and_leave', async () => {
  const topic = await create(fresh('share'), 6)
  const group = fresh('share')
  const members = []
  const settled = counts => until(`${counts} partitions each`, () => {
    const owned = members.map(one => (one.consumer.assignments ?? []).flatMap(assignment => assignment.partitions))
    return new Set(owned.flat()).size === 6 && owned.map(one => one.length).sort().join() === counts
  }, again => members.forEach(one => one.on(again)))
  for (const counts of ['6', '3,3', '2,2,2']) {
    members.push(await member(topic, group))
    await settled(counts)
  }
  await members.pop().close()
  await settled('3,3')
  await members.shift().close()
  await settled('6')
  await members.pop().close()
})

scenario('groups_are_described_and_deleted', async () => {
  const topic = await create(fresh('groups'))
  const group = fresh('groups')
  await send(numbers(topic, 1))
  const one = await member(topic, group)
  await until('a record', () => one.seen.length === 1, one.on)
  const described = (await admin.describeGroups({ groups: [group] })).get(group)
  equal([described.state, described.members.size], ['STABLE', 1], 'state')
  equal(await refusal(admin.deleteGroups({ groups: [group] })), 'NON_EMPTY_GROUP', 'deleted with a member')
  await one.close()
  await admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets: [{ partition: 0, offset: 7n }] }] })
  const [listed] = await admin.listConsumerGroupOffsets({ groups: [group] })
  equal(listed.topics[0].partitions[0].committedOffset, 7n, 'offset set')
  check((await admin.listGroups()).has(group), 'not listed')
  await admin.deleteGroups({ groups: [group] })
  check(!(await admin.listGroups()).has(group), 'still listed')
})

scenario('configs_are_altered_and_described', async () => {
  const topic = await create(fresh('configs'))
  const alter = (name, value) => admin.incrementalAlterConfigs({ resources: [{ resourceType: 2, resourceName: topic, configs: [{ name, configOperation: 0, value }] }] })
  await alter('retention.ms', '12345')
  const [described] = await admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: topic }] })
  equal(described.configs.find(one => one.name === 'retention.ms').value, '12345', 'retention.ms')
  check(described.configs.length > 25, `only ${described.configs.length} configurations`)
  equal(await refusal(alter('no.such.config', '1')), 'INVALID_CONFIG', 'unknown configuration')
})

scenario('records_are_deleted', async () => {
  const topic = await create(fresh('records'))
  await send(numbers(topic, 20))
  const [deleted] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 12n }] }] })
  equal(deleted.partitions[0].lowWatermark, 12n, 'low watermark')
  equal((await read(topic, 8))[0].offset, 12n, 'first record')
})

scenario('tombstones_of_a_compacted_topic', async () => {
  const topic = await create(fresh('compact'), 1, { 'cleanup.policy': 'compact' })
  // The client looks at the record's own error, which has no code.
  check(await refusal(send([{ topic, value: 'no key' }])), 'a record without key')
  await send([{ topic, key: 'k', value: '1' }, { topic, key: 'k' }])
  equal(texts(await read(topic, 2)).map(text => text || null), ['1', null], 'records')
})

await main(JSON.parse(readFileSync(new URL('node_modules/@platformatic/kafka/package.json', import.meta.url))).version)
