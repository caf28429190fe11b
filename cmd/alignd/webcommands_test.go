package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// said runs the command lines that a page names, as a shell would, and returns what each
// prints with --json.
func (p *planted) said(t *testing.T, page string) (list [][]byte) {
	t.Helper()
	m := regexp.MustCompile(`On the command line: <code>(.*?)</code>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no command line in %.300s", page)
	}
	for line := range strings.SplitSeq(m[1], "; ") {
		command, tail, _ := strings.Cut(line, " | ")
		var out, errs bytes.Buffer
		args := append(strings.Fields(command)[1:], "--json", "--config", p.file)
		if args[0] == "replay" {
			args = append(args, "--journal", p.file)
		}
		if exit := run(args, strings.NewReader(""), &out, &errs); exit != 0 {
			t.Fatalf("%q: exit %d: %s", args, exit, &errs)
		}
		text := out.Bytes()
		if skip, is := strings.CutPrefix(tail, "tail -n +101"); is && skip == "" {
			text = bytes.Join(bytes.SplitAfter(text, []byte("\n"))[100:], nil)
		}
		list = append(list, text)
	}
	return list
}

// jsonValues are what is in lines of JSON.
func jsonValues(t *testing.T, text []byte) (list []any) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(text)); d.More(); {
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

func member(t *testing.T, text, key string) any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return all[key]
}

// The command lines that the pages of messages name say the same as their JSON.
func TestPagesAndTheirCommandsSayTheSame(t *testing.T) {
	p := plantedFor(t, "", append(mail(240, time.Now().Add(-time.Minute)), mail(30, time.Now().AddDate(0, 0, -1))...))
	at := p.pages(t, time.Now())
	token := ""
	for _, query := range []string{"", "?dkim=pass&spf=pass", "?arc=pass&since=2h", "?since=36h&until=3h", "?answer=written&delivery=deliver&disposition=accept&client=0.0.0.0/0", "?skip=100&since=2d"} {
		page := readPage(t, at+"/messages"+query)
		said := jsonValues(t, p.said(t, page)[0])
		_, text := fetch(t, at+"/messages.json"+query)
		got := member(t, text, "messages").([]any)
		if len(got) == 0 || !reflect.DeepEqual(got[:min(len(got), 100)], said) {
			t.Errorf("%s: %d messages, by the command %d", query, len(got), len(said))
		}
		token = got[0].(map[string]any)["token"].(string)
	}
	page := readPage(t, at+"/message?id="+token)
	_, text := fetch(t, at+"/message.json?id="+token)
	if got := member(t, text, "messages"); !reflect.DeepEqual(got, jsonValues(t, p.said(t, page)[0])) {
		t.Error("a message is another one by the command")
	}
	page = readPage(t, at+"/message/again?id="+token)
	_, text = fetch(t, at+"/message/again.json?id="+token)
	if got, said := jsonValues(t, []byte(text)), jsonValues(t, p.said(t, page)[0]); !reflect.DeepEqual(got, said) {
		t.Errorf("judged again: %.300v, by the command %.300v", got, said)
	}
}

func TestTodayAndItsCommandsSayTheSame(t *testing.T) {
	p := plantedFor(t, "exceptions: [{id: never, action: accept, proof: {clients: [192.0.2.0/24]}, never_expires: true}]\n",
		append(mail(40, time.Now().Add(-time.Minute)), mail(30, time.Now().AddDate(0, 0, -1))...))
	for span, rows := range map[string]int{"": 24, "?span=30d": 30, "?span=90d": 90} {
		for try := 0; ; try++ { // an hour may end between two questions
			at := p.pages(t, time.Now())
			hour := time.Now().Truncate(time.Hour)
			page := readPage(t, at+"/today"+span)
			_, text := fetch(t, at+"/today.json"+span)
			said := p.said(t, page)
			if time.Now().Truncate(time.Hour) != hour && try == 0 {
				continue
			}
			got, want := member(t, text, "overview").(map[string]any), jsonValues(t, said[0])[0].(map[string]any)
			for _, all := range []map[string]any{got, want} {
				delete(all, "time")
				for _, x := range all["periods"].([]any) {
					delete(x.(map[string]any), "until")
				}
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
			bars := member(t, text, "counts").([]any)
			counted := jsonValues(t, said[1])[0].(map[string]any)["rows"].([]any)
			if len(bars) != rows || len(counted) != rows {
				t.Errorf("%s: %d rows, by the command %d, want %d", span, len(bars), len(counted), rows)
			}
			for i, x := range bars {
				row := counted[len(counted)-1-i].(map[string]any)
				for key, n := range x.(map[string]any) {
					if key != "begin" && n != row[key] {
						t.Errorf("%s: %v, by the command %v", span, x, row)
					}
				}
			}
			break
		}
	}
}

// Whatever alignd log can be asked, the page can: a flag that is added there is a field.
func TestMessagesAskWhatLogAsks(t *testing.T) {
	p := plantedFor(t, "", mail(3, time.Now().Add(-time.Minute)))
	text := readPage(t, p.pages(t, time.Now())+"/messages")
	logCommand().Flags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains([]string{"config", "json", "follow", "limit", "help"}, f.Name) && !strings.Contains(text, `name="`+f.Name+`"`) {
			t.Errorf("--%s is no field", f.Name)
		}
	})
	for _, column := range []string{"Time", "Author Domain", "Client", "DMARC", "Delivery", "MTA was told", "Rule", "MAIL FROM", "SPF", "DKIM", "ARC", "Held back", "Reason", "Disposition", "Queue id"} {
		if !regexp.MustCompile(`<th scope="col"( class="[a-z ]+")?>` + column + "</th>").MatchString(text) {
			t.Errorf("no column %s", column)
		}
	}
}
