// Segments {start, end, text, speaker} as text and as subtitles.

function stamp(seconds, mark) {
  const all = Math.round(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, whole] = [Math.floor(all / 3600000), Math.floor(all / 60000) % 60, Math.floor(all / 1000) % 60];
  return `${two(hours)}:${two(minutes)}:${two(whole)}${mark}${String(all % 1000).padStart(3, "0")}`;
}

export function asText(rows) {
  let text = "", before = null;
  for (const row of rows) {
    if (row.speaker && row.speaker !== before) text += `${text ? "\n" : ""}Speaker ${row.speaker}: `;
    else if (text) text += row.speaker ? " " : "\n";
    text += row.text;
    before = row.speaker;
  }
  return `${text}\n`;
}

const said = (row) => (row.speaker ? `Speaker ${row.speaker}: ${row.text}` : row.text);

export const asSrt = (rows) =>
  rows.map((row, n) => `${n + 1}\n${stamp(row.start, ",")} --> ${stamp(row.end, ",")}\n${said(row)}\n`).join("\n");

export const asVtt = (rows) =>
  `WEBVTT\n\n${rows.map((row) => `${stamp(row.start, ".")} --> ${stamp(row.end, ".")}\n${said(row).replaceAll("-->", "→")}\n`).join("\n")}`;
