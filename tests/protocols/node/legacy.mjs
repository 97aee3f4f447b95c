// The beta client (its maintained fork): text, manual audio, found turn, interruption, a tool.
// Its sessions are of the kind that answers; a relay sends what it is told to, and so opens one that transcribes.

import { RealtimeClient } from 'openai-realtime-api'
import { loudest, run, tell, tone, until, url } from './common.mjs'

function listen(client) {
  client.said = []
  client.done = []
  client.audio = 0
  client.loudest = 0
  client.on('error', (error) => {
    throw new Error(JSON.stringify(error))
  })
  client.realtime.on('server.*', (event) => client.said.push(event.type))
  client.realtime.on('server.response.done', (event) => client.done.push(event.response))
  client.realtime.on('server.response.audio.delta', (event) => {
    client.audio += 1
    client.loudest = Math.max(client.loudest, loudest(Buffer.from(event.delta, 'base64')))
  })
  return client
}

async function connect(session = {}) {
  const client = listen(new RealtimeClient({ url, apiKey: 'any', model: 'local' }))
  client.updateSession(session)
  await client.connect()
  await client.waitForSessionCreated()
  return client
}

const transcript = (response) => response.output.flatMap((item) => item.content ?? []).map((part) => part.transcript).join(' ')

await run(async () => {
  const texting = await connect({ turn_detection: null })
  texting.sendUserMessageContent([{ type: 'input_text', text: 'good morning' }])
  await until(() => texting.done.length === 1, 'a text turn')
  tell('text', transcript(texting.done[0]))
  tell('loudest', texting.loudest)
  texting.appendInputAudio(tone(0.4))
  texting.createResponse()
  await until(() => texting.done.length === 2, 'a manual turn')
  tell('manual', transcript(texting.done[1]))
  texting.disconnect()

  const calling = await connect({ turn_detection: null })
  calling.addTool(
    { type: 'function', name: 'get_weather', description: '', parameters: { type: 'object', properties: {} } },
    async ({ city }) => `rain in ${city}`
  )
  calling.sendUserMessageContent([{ type: 'input_text', text: 'the weather, please' }])
  await until(() => calling.done.length === 2, 'a tool')
  tell('tool', transcript(calling.done[1]))
  calling.disconnect()

  const heard = { turn_detection: { type: 'server_vad' }, input_audio_transcription: { model: 'whisper-1' } }
  const speaking = await connect({ ...heard, instructions: 'work=0.05' })
  speaking.appendInputAudio(tone(0.5))
  speaking.appendInputAudio(tone(0.8, 0))
  await until(() => speaking.audio > 0, 'audio')
  speaking.appendInputAudio(tone(0.5))
  await until(() => speaking.done.length === 1, 'the interruption')
  speaking.appendInputAudio(tone(0.8, 0))
  await until(() => speaking.done.length === 2, 'the second answer')
  tell('statuses', speaking.done.map((response) => response.status))
  const turns = () => speaking.conversation.getItems().filter((item) => item.role === 'user')
  await until(() => turns().length === 2 && turns().every((item) => item.formatted.transcript?.trim()), 'words')
  tell('heard', turns().map((item) => item.formatted.transcript))
  speaking.disconnect()

  const writing = listen(
    new RealtimeClient({ url: url.replace('?', '?intent=transcription&'), apiKey: 'any', model: 'local', relay: true })
  )
  await writing.connect()
  writing.realtime.send('transcription_session.update', {
    session: { input_audio_transcription: { model: 'whisper-1' }, turn_detection: { type: 'server_vad' } }
  })
  await until(() => writing.said.includes('transcription_session.updated'), 'its session')
  const audio = Buffer.concat([tone(0.5), tone(0.8, 0)].map((samples) => Buffer.from(samples.buffer)))
  writing.realtime.send('input_audio_buffer.append', { audio: audio.toString('base64') })
  await until(() => writing.said.includes('conversation.item.input_audio_transcription.completed'), 'a transcript')
  tell('transcribed', writing.conversation.getItems().map((item) => item.formatted.transcript))
  tell('answered', writing.said.filter((type) => type.startsWith('response.')))
  writing.disconnect()
})
