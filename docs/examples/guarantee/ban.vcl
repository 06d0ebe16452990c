# Varnish for `warmfront check-guarantee --adapter varnish-ban` (bans), or varnish-purge (single URLs):
#
#   varnishd -a 127.0.0.1:6081 -f ban.vcl
#   warmfront check-guarantee --adapter varnish-ban --edges http://127.0.0.1:6081 --origin-listen 127.0.0.1:8200 --keep-going
vcl 4.1;

import std;

backend checker { .host = "127.0.0.1"; .port = "8200"; }

acl operators { "localhost"; "127.0.0.1"; }

sub vcl_recv {
    if (req.method == "BAN" || req.method == "PURGE") {
        if (client.ip !~ operators) { return (synth(403)); }
        if (req.method == "PURGE") { return (purge); }
        if (std.ban(req.http.X-Ban)) { return (synth(200, "banned")); }
        return (synth(400, std.ban_error()));
    }
}

sub vcl_deliver {
    if (obj.hits > 0) { set resp.http.X-Cache = "Hit"; } else { set resp.http.X-Cache = "Miss"; }
}
