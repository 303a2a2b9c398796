-- wrk's side: sends the same request again and again, and prints the first answer
local key = os.getenv("ENDPOINT_KEY")
wrk.method, wrk.body = "POST", os.getenv("ENDPOINT_BODY")
wrk.headers["Authorization"], wrk.headers["Content-Type"] = "Bearer " .. key, "application/json"
local said = false
function response(status, headers, body)
  if not said then said = true; io.stderr:write(body .. "\n") end
end
