// What both clients' scripts share: tones that the scripted engines hear as speech, and one JSON line per fact found.

export const url = `${process.argv[2]}/v1/realtime?model=local`

export function tone(seconds, level = 0.8) {
  const samples = new Int16Array(Math.round(seconds * 24000))
  for (let n = 0; n < samples.length; n++) {
    samples[n] = Math.sin((2 * Math.PI * 440 * n) / 24000) * level * 32767
  }
  return samples
}

export function loudest(pcm16) {
  const bytes = Buffer.from(pcm16)
  let found = 0
  for (let n = 0; n < bytes.length; n += 2) {
    found = Math.max(found, Math.abs(bytes.readInt16LE(n)))
  }
  return found
}

export function tell(fact, value) {
  console.log(JSON.stringify({ [fact]: value }))
}

export function until(wanted, what) {
  return new Promise((resolve, reject) => {
    const started = Date.now()
    const timer = setInterval(() => {
      if (wanted()) {
        clearInterval(timer)
        resolve()
      } else if (Date.now() - started > 20000) {
        clearInterval(timer)
        reject(new Error(`nothing came: ${what}`))
      }
    }, 10)
  })
}

export async function run(scenario) {
  try {
    await scenario()
    process.exit(0)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}
