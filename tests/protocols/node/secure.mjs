// OpenAI's own client for JavaScript, whose realtime socket is always wss, whatever its base URL says: a text turn, a
// manual turn and a tool. The certificate comes from NODE_EXTRA_CA_CERTS, the key from the second argument.

import OpenAI from 'openai'
import { OpenAIRealtimeWS } from 'openai/realtime/ws'
import { loudest, run, tell, tone, until } from './common.mjs'

const [, , address, apiKey] = process.argv

await run(async () => {
  const client = new OpenAI({ apiKey, baseURL: `${address.replace(/^\w+/, 'http')}/v1` })
  const realtime = new OpenAIRealtimeWS({ model: 'local' }, client)
  const said = []
  let heard = 0
  realtime.on('event', (event) => said.push(event))
  realtime.on('error', (error) => {
    console.error(error.message, error.cause)
    process.exit(2)
  })
  realtime.on('response.output_audio.delta', (event) => {
    heard = Math.max(heard, loudest(Buffer.from(event.delta, 'base64')))
  })
  const done = () => said.filter((event) => event.type === 'response.done')
  const words = () => said.filter((event) => event.type === 'response.output_audio_transcript.done').map((event) => event.transcript)
  const item = (content) => realtime.send({ type: 'conversation.item.create', item: content })

  tell('url', realtime.url.protocol)
  await until(() => said.some((event) => event.type === 'session.created'), 'the session')
  realtime.send({ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: null } } } })

  item({ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'good morning' }] })
  realtime.send({ type: 'response.create' })
  await until(() => done().length === 1, 'a text turn')

  realtime.send({ type: 'input_audio_buffer.append', audio: Buffer.from(tone(0.4).buffer).toString('base64') })
  realtime.send({ type: 'input_audio_buffer.commit' })
  realtime.send({ type: 'response.create' })
  await until(() => done().length === 2, 'a manual turn')

  const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const weather = { type: 'function', name: 'get_weather', description: 'The weather in a city.', parameters }
  realtime.send({ type: 'session.update', session: { type: 'realtime', tools: [weather] } })
  item({ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'the weather, please' }] })
  realtime.send({ type: 'response.create' })
  await until(() => done().length === 3, 'a call of the tool')
  const call = done()[2].response.output.find((one) => one.type === 'function_call')
  item({ type: 'function_call_output', call_id: call.call_id, output: `rain in ${JSON.parse(call.arguments).city}` })
  realtime.send({ type: 'response.create' })
  await until(() => done().length === 4, 'the answer after the tool')

  tell('statuses', done().map((event) => event.response.status))
  tell('words', words())
  tell('loudest', heard)
  realtime.close()
})
