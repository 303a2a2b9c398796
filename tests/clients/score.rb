require "net/http"
url, key, body = ARGV
headers = { "Authorization" => "Bearer #{key}", "Content-Type" => "application/json" }
puts Net::HTTP.post(URI(url), body, headers).body
