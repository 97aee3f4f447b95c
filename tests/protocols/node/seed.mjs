// The example of the server that came before, its handler async as its await needs.

import WebSocket from 'ws'
import { loudest, run, tell, tone, until } from './common.mjs'

const said = []
let played = 0
let loud = 0
const capturePCM16Chunk = async () => Buffer.from(tone(0.5).buffer).toString('base64')
const playPCM16Base64 = (delta) => {
  const pcm16 = Buffer.from(delta, 'base64')
  played += pcm16.length
  loud = Math.max(loud, loudest(pcm16))
}

await run(async () => {
  const ws = new WebSocket(`${process.argv[2]}/v1/realtime`)
  ws.onopen = async () => {
    ws.send(JSON.stringify({
      type: 'session.update',
      session: { modalities: ['audio', 'text'] }
    }))
    const audioBase64 = await capturePCM16Chunk()
    ws.send(JSON.stringify({
      type: 'input_audio_buffer.append',
      audio: audioBase64
    }))
    ws.send(JSON.stringify({ type: 'response.create' }))
  }
  ws.onmessage = (ev) => {
    const msg = JSON.parse(ev.data)
    said.push(msg.type)
    if (msg.type === 'response.audio.delta') {
      playPCM16Base64(msg.delta)
    }
  }
  await until(() => said.includes('response.done'), 'the answer')
  tell('played', played)
  tell('loudest', loud)
  tell('errors', said.filter((type) => type === 'error').length)
})
