package main

import (
	"os"
	"path/filepath"
	"strings"
)

// rspamd does SPF, DKIM, ARC and DMARC and nothing else here. It keeps no answers of
// DNS (its caches are off), so one runs for all cases, and one that refuses nothing, as
// a refused message does not show its results.
type rspamd struct {
	versions, dir string
	does, tells   *program
}

func (r *rspamd) name() string { return "rspamd" }

func (r *rspamd) version() string {
	return r.versions + ", with its modules spf, dkim, arc, dmarc and milter_headers alone, and `dmarc { actions { reject = \"reject\"; quarantine = \"add_header\"; } }`"
}

const rspamdConf = `options {
    pidfile = "@DIR@/@NAME@.pid";
    filters = "dkim";
    check_all_filters = true;
    disable_hyperscan = true;
    hs_cache_dir = "@DIR@";
    cache_file = "@DIR@/@NAME@.cache";
    history_file = "@DIR@/@NAME@.history";
    rrd = "";
    max_lua_urls = 0;
    url_tld = "/usr/share/rspamd/effective_tld_names.dat";
    dns { nameserver = ["@DNS@:53"]; timeout = 2s; retransmits = 2; }
    local_addrs = ["127.0.0.0/8", "::1"];
}
logging { type = "file"; filename = "@DIR@/@NAME@.log"; level = "error"; }
modules { path = "/usr/share/rspamd/plugins"; }
metric { name = "default"; actions { reject = 1000; add_header = 500; greylist = null; } }
spf { spf_cache_size = 0; }
dkim { dkim_cache_size = 0; max_sigs = 10; }
dmarc { @DMARC@ }
arc { }
milter_headers {
    use = ["authentication-results", "spam-header"];
    skip_local = false;
    skip_authenticated = false;
    routines {
        authentication-results { add_smtp_user = false; }
        spam-header { header = "X-Spam"; value = "Yes"; }
    }
}
worker "rspamd_proxy" {
    bind_socket = "@DIR@/rspamd-@NAME@.sock mode=0666";
    count = 1;
    milter = yes;
    timeout = 120s;
    max_retries = 1;
    upstream "local" { default = yes; self_scan = yes; }
}
`

func (r *rspamd) begin() error {
	if r.does != nil {
		return nil
	}
	var err error
	if r.does, err = r.start("does", `actions { reject = "reject"; quarantine = "add_header"; }`); err != nil {
		return err
	}
	r.tells, err = r.start("tells", "")
	return err
}

// start runs one whose dmarc module is told to do something.
func (r *rspamd) start(name, dmarc string) (*program, error) {
	conf := filepath.Join(r.dir, "rspamd-"+name+".conf")
	text := strings.NewReplacer("@DIR@", r.dir, "@NAME@", name, "@DMARC@", dmarc, "@DNS@", dnsAddr).Replace(rspamdConf)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return start(r.socket(name), "rspamd", "-i", "-f", "-c", conf)
}

func (r *rspamd) socket(name string) string { return filepath.Join(r.dir, "rspamd-"+name+".sock") }

func (r *rspamd) end() error { return nil }

func (r *rspamd) close() { _, _ = r.does.stop(), r.tells.stop() }

func (r *rspamd) judge(l letter) result {
	told := through(r.socket("tells"), l, l.text)
	got := resultsOf(added(l.text, told.Delivered))
	got.done = doneOf(through(r.socket("does"), l, l.text))
	return got
}
