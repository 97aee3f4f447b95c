// OpenAI's Agents SDK for JavaScript: a tool, a text turn, a manual turn, a turn found in audio that is interrupted.
// It opens no transcription sessions; the words of what it hears come with the last of these.

import { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime'
import { z } from 'zod'
import { loudest, run, tell, tone, until, url } from './common.mjs'

const weather = tool({
  name: 'get_weather',
  description: 'The weather in a city.',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `rain in ${city}`
})

async function connect(agent, config = {}) {
  const session = new RealtimeSession(new RealtimeAgent({ name: 'Assistant', ...agent }), {
    transport: new OpenAIRealtimeWebSocket({ useInsecureApiKey: true }),
    model: 'local',
    tracingDisabled: true,
    config
  })
  session.said = []
  session.audio = 0
  session.loudest = 0
  session.interrupted = 0
  session.on('error', (error) => {
    throw new Error(JSON.stringify(error))
  })
  session.on('transport_event', (event) => session.said.push(event))
  session.on('audio', (event) => {
    session.audio += event.data.byteLength
    session.loudest = Math.max(session.loudest, loudest(event.data))
  })
  session.on('audio_interrupted', () => (session.interrupted += 1))
  await session.connect({ apiKey: 'any', url })
  return session
}

const count = (session, type) => session.said.filter((event) => event.type === type).length

await run(async () => {
  const asking = await connect({ tools: [weather] })
  asking.sendMessage('the weather, please')
  await until(() => count(asking, 'response.done') === 2, 'the answer after the tool')
  const answers = asking.said.filter((event) => event.type === 'response.output_audio_transcript.done')
  tell('tool', answers.map((event) => event.transcript).join(' '))
  tell('audio', asking.audio)
  tell('loudest', asking.loudest)
  asking.close()

  const texting = await connect({})
  texting.sendMessage('good morning')
  await until(() => count(texting, 'response.done') === 1, 'a text turn')
  tell('text', texting.said.find((event) => event.type === 'response.output_audio_transcript.done').transcript)
  texting.close()

  const manual = await connect({}, { audio: { input: { turnDetection: null } } })
  manual.sendAudio(tone(0.4).buffer, { commit: true })
  manual.transport.sendEvent({ type: 'response.create' })
  await until(() => count(manual, 'response.done') === 1, 'a manual turn')
  tell('manual', manual.said.find((event) => event.type === 'response.output_audio_transcript.done').transcript)
  manual.close()

  const heard = { turnDetection: { type: 'server_vad', interruptResponse: true } }
  const speaking = await connect({ instructions: 'work=0.05' }, { audio: { input: heard } })
  speaking.sendAudio(tone(0.5).buffer)
  speaking.sendAudio(tone(0.8, 0).buffer)
  await until(() => speaking.audio > 0, 'audio')
  speaking.sendAudio(tone(0.5).buffer)
  await until(() => speaking.interrupted === 1, 'the interruption')
  speaking.sendAudio(tone(0.8, 0).buffer)
  await until(() => count(speaking, 'response.done') === 2, 'the second answer')
  const done = speaking.said.filter((event) => event.type === 'response.done')
  tell('statuses', done.map((event) => event.response.status))
  await until(() => speaking.history.filter((item) => item.role === 'user').every((item) => item.content[0].transcript), 'words')
  tell('heard', speaking.history.filter((item) => item.role === 'user').map((item) => item.content[0].transcript))
  speaking.close()
})
