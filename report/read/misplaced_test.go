package read

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func valuesOf(t *testing.T, k *kept) string {
	t.Helper()
	all, err := json.Marshal([]any{k.heads, k.records})
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// Whole parts of a report stand in a wrong place, too.
func TestMisplacedPartsAreRead(t *testing.T) {
	text := report9990("r1")
	k, _ := readAll(t, Limits{}, text)
	want := valuesOf(t, k)
	part := func(name string) string {
		return text[strings.Index(text, "<"+name+">") : strings.LastIndex(text, "</"+name+">")+len("</"+name+">")]
	}
	for _, test := range []struct{ part, before string }{
		{part: "policy_published", before: "<row>"}, {part: "policy_published", before: "<auth_results>"}, {part: "policy_published", before: "<report_id>"},
		{part: "identifiers", before: "<source_ip>"}, {part: "identifiers", before: "</row>"}, {part: "identifiers", before: "<disposition>"}, {part: "identifiers", before: "</auth_results>"},
		{part: "auth_results", before: "<source_ip>"}, {part: "auth_results", before: "<header_from>"}, {part: "auth_results", before: "</policy_evaluated>"},
		{part: "policy_evaluated", before: "<header_from>"}, {part: "policy_evaluated", before: "<identifiers>"}, {part: "row", before: "<header_from>"}, {part: "row", before: "</auth_results>"},
		{part: "date_range", before: "<policy_published>"}, {part: "report_metadata", before: "<domain>"}, {part: "report_metadata", before: "</feedback>"},
		{part: "source_ip", before: "<disposition>"}, {part: "count", before: "<header_from>"}, {part: "disposition", before: "<spf><domain>"}, {part: "header_from", before: "</row>"},
	} {
		moved := part(test.part)
		file := strings.Replace(strings.Replace(text, moved, "", 1), test.before, moved+test.before, 1)
		if strings.HasPrefix(test.part, "policy_pub") && test.before != "<report_id>" { // its values in a record are not taken for the report's
			file = strings.Replace(text, test.before, moved+test.before, 1)
		}
		k, n := readAll(t, Limits{}, file)
		if got := valuesOf(t, k); n[0] != 1 || got != want || !strings.Contains(file, moved+test.before) {
			t.Errorf("%s before %s:\n got %s\nwant %s", test.part, test.before, got, want)
		}
	}
}

// The end of an element is looked for within bounds: of records that have none each is one.
func TestEndsFarAwayAreLeftOut(t *testing.T) {
	const rows = 300
	alike := strings.Replace(record, "</record>", "", 1)
	for _, filler := range []string{"", strings.Repeat("x", 4096)} {
		c := new(counting)
		file := strings.Replace(report9990("r1"), record, strings.Repeat(strings.Replace(alike, "fine", "fine"+filler, 1), rows), 1)
		if n, err := New(c, Limits{}).File("x", strings.NewReader(file)); err != nil || n != 1 || c.records != rows {
			t.Errorf("got %d reports, %d records, %v", n, c.records, err)
		}
	}
}

// An element that stands in a wrong place and is closed takes no value away from those
// around it and behind it.
func TestMisplacedElementsTakeNothingAway(t *testing.T) {
	text := report9990("r1")
	k, _ := readAll(t, Limits{}, text)
	want := valuesOf(t, k)
	tags := regexp.MustCompile(`</?([a-z_]+)[^>?]*>`)
	for _, added := range []string{"<extension><x>1</x></extension>", "<extension/>", "<version>1.0</version>", "<row/>", "<identifiers></identifiers>",
		"<auth_results/>", "<report_metadata/>", "<date_range></date_range>", "<policy_evaluated/>", "<reason/>", "<report_id>r1</report_id>",
		"<source_ip>192.0.2.1</source_ip>", "<header_from>example.com</header_from>"} {
		var path []string
		for _, tag := range tags.FindAllStringSubmatchIndex(text, -1) {
			if text[tag[0]+1] == '/' {
				path = path[:len(path)-1]
			} else {
				path = append(path, text[tag[2]:tag[3]])
			}
			isWord := len(path) == 5 && path[3] == "policy_evaluated" && path[4] != "reason"
			inItself := len(path) > 0 && added == "<"+path[len(path)-1]+"/>"
			if len(path) == 0 || holds[path[len(path)-1]] == "" || isWord || inItself {
				continue
			}
			k, n := readAll(t, Limits{}, text[:tag[1]]+added+text[tag[1]:])
			if got := valuesOf(t, k); n[0] != 1 || got != want {
				t.Errorf("%s in %s at octet %d:\n got %s\nwant %s", added, strings.Join(path, " > "), tag[1], got, want)
			}
		}
	}
}
