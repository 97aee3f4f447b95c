// The example's forms go with this fetch: Node's own, which is younger, sends them as the words "[object FormData]".
globalThis.fetch = require("node-fetch");
