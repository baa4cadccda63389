// Runs the scenarios of one client and prints a line for each, as tests/src/foreign.rs reads them.
//
//     node CLIENT.mjs HOST:PORT [SCENARIO...]

import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'

// No scenario may take longer.
const LONGEST_MS = 45_000

const scenarios = []
const run = randomBytes(4).toString('hex')

export const bootstrap = process.argv[2] ?? '127.0.0.1:9092'

export function scenario (name, body) {
  scenarios.push({ name, body })
}

// A topic or group name that no other run used.
export function fresh (name) {
  return `${name}-${run}-${randomBytes(2).toString('hex')}`
}

export function equal (got, wanted, what) {
  if (!isDeepStrictEqual(got, wanted)) throw new Error(`${what}: got ${shorten(got)}, wanted ${shorten(wanted)}`)
}

export function check (condition, what) {
  if (!condition) throw new Error(what)
}

function shorten (value) {
  const text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n` : one)) ?? String(value)
  return text.length <= 300 ? text : `${text.slice(0, 300)}... (${text.length} characters)`
}

// A promise with the function that fulfils it.
export function promised () {
  let fulfil, refuse
  const promise = new Promise((resolve, reject) => { fulfil = resolve; refuse = reject })
  return { promise, fulfil, refuse }
}

// Fulfilled when `condition` holds; `look(again)` has to call `again` whenever that may have changed.
export async function until (what, condition, look) {
  const { promise, fulfil, refuse } = promised()
  const late = setTimeout(() => refuse(new Error(`never came: ${what}`)), 20_000)
  const again = () => { if (condition()) fulfil() }
  look(again)
  again()
  await promise.finally(() => clearTimeout(late))
}

async function play ({ body }) {
  const { promise, refuse } = promised()
  const late = setTimeout(() => refuse(new Error('no end in time')), LONGEST_MS)
  await Promise.race([body(), promise]).finally(() => clearTimeout(late))
}

export async function main (version) {
  const wanted = process.argv.slice(3)
  const chosen = scenarios.filter(one => wanted.length === 0 || wanted.includes(one.name))
  console.log('version', version)
  console.log('plan', ...chosen.map(one => one.name))
  let failed = false
  for (const one of chosen) {
    const begun = performance.now()
    try {
      await play(one)
      console.log('ok', one.name, Math.round(performance.now() - begun))
    } catch (error) {
      failed = true
      console.log(`FAIL ${one.name}: ${String(error.stack ?? error).split(/\s+/).join(' ').slice(0, 600)}`)
      console.error(error)
    }
  }
  process.exit(failed ? 1 : 0)
}
