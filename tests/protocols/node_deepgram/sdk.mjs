// @deepgram/sdk 5 against a server, as an application uses it: node sdk.mjs URL FOLDER SITE. One line of JSON.
// FOLDER holds speech.wav and, as PCM16 at 16 kHz, live.raw.
import { readFileSync } from "node:fs"
import { DeepgramClient } from "@deepgram/sdk"

const [url, folder, site] = process.argv.slice(2)
const socket = url.replace("http", "ws")
const client = new DeepgramClient({
  apiKey: "unused",
  environment: { base: url, production: socket, agent: socket, agentRest: url },
})
const audio = readFileSync(`${folder}/live.raw`)
const recording = readFileSync(`${folder}/speech.wav`)
const found = {}

// What comes on a connection, and the promise of its end.
function collect(connection) {
  const got = []
  connection.on("message", (message) => got.push(message))
  connection.on("error", (error) => got.push({ type: "Error", error: String(error) }))
  const closed = new Promise((resolve) => connection.on("close", resolve))
  return { got, closed }
}

async function until(wanted) {
  while (!wanted()) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function stream(connection, size) {
  connection.connect()
  await connection.waitForOpen()
  for (let start = 0; start < audio.length; start += size) connection.sendMedia(audio.subarray(start, start + size))
}

async function live() {
  const connection = await client.listen.v1.connect({
    model: "nova-3",
    encoding: "linear16",
    sample_rate: 16000,
    interim_results: true,
    vad_events: true,
    utterance_end_ms: 1000,
    punctuate: true,
    reconnectAttempts: 0,
  })
  const { got, closed } = collect(connection)
  await stream(connection, 3200)
  connection.sendKeepAlive({ type: "KeepAlive" })
  connection.sendFinalize({ type: "Finalize" })
  await until(() => got.some((one) => one.from_finalize))
  connection.sendCloseStream({ type: "CloseStream" })
  await closed
  const finals = got.filter((one) => one.type === "Results" && one.is_final)
  found.live = finals.map((one) => one.channel.alternatives[0].transcript).filter(Boolean).join(" ")
  found.seen = [...new Set(got.map((one) => one.type))].sort()
}

async function flux() {
  const connection = await client.listen.v2.connect({
    model: "flux-general-en",
    encoding: "linear16",
    sample_rate: 16000,
    reconnectAttempts: 0,
  })
  const { got, closed } = collect(connection)
  await stream(connection, 2560)
  connection.sendCloseStream({ type: "CloseStream" })
  await closed
  found.flux = got.filter((one) => one.event === "EndOfTurn").map((one) => one.transcript).join(" ")
  found.flux_first = got[0].type
}

async function recordings() {
  const file = await client.listen.v1.media.transcribeFile(recording, { model: "nova-3", utterances: true })
  found.file = file.results.channels[0].alternatives[0].transcript
  found.utterance = file.results.utterances[0].transcript
  const fetched = await client.listen.v1.media.transcribeUrl({ url: site, model: "nova-3" })
  found.url = fetched.results.channels[0].alternatives[0].transcript
  try {
    await client.listen.v1.media.transcribeFile(Buffer.from("only words in here, no audio"), { model: "nova-3" })
  } catch (error) {
    found.error = [error.statusCode, error.body.err_code, Boolean(error.body.request_id)]
  }
}

async function speech() {
  const answer = await client.speak.v1.audio.generate({
    text: "one two three",
    model: "aura-2-thalia-en",
    encoding: "linear16",
    container: "none",
    sample_rate: 16000,
  })
  found.spoken = (await answer.arrayBuffer()).byteLength
  const connection = await client.speak.v1.connect({
    model: "aura-2-thalia-en",
    encoding: "linear16",
    sample_rate: 16000,
    reconnectAttempts: 0,
  })
  const { got, closed } = collect(connection)
  connection.connect()
  await connection.waitForOpen()
  connection.sendText({ type: "Speak", text: "one two " })
  connection.sendText({ type: "Speak", text: "three" })
  connection.sendFlush({ type: "Flush" })
  await until(() => got.some((one) => one.type === "Flushed"))
  connection.sendClear({ type: "Clear" })
  connection.sendClose({ type: "Close" })
  await closed
  const told = got.filter((one) => typeof one.type === "string" && !(one instanceof Blob))
  found.told = told.map((one) => one.type)
  found.spoken_live = got.reduce((sum, one) => sum + (one.size ?? one.byteLength ?? 0), 0)
}

await live()
await flux()
await recordings()
await speech()
console.log(JSON.stringify(found))
process.exit(0)
