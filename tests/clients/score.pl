use HTTP::Tiny;
my ($url, $key, $body) = @ARGV;
my $headers = { "Authorization" => "Bearer $key", "Content-Type" => "application/json" };
print HTTP::Tiny->new->request("POST", $url, { headers => $headers, content => $body })->{content};
