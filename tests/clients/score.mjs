const [url, key, body] = process.argv.slice(2);
const answer = await fetch(url, {
  method: "POST",
  headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
  body,
});
console.log(await answer.text());
