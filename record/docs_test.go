package record

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const reference = "../docs/evidence.md"

// TestTheReferenceTellsOfEveryField compares the tables of docs/evidence.md with
// the types: a heading for each, a row for each field with its number, key and type,
// and no cell of the others empty.
func TestTheReferenceTellsOfEveryField(t *testing.T) {
	rows := referenceRows(t)
	for _, typ := range recordTypes() {
		name := typ.String()
		var want []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			number, _ := fieldNumber(f)
			want = append(want, fmt.Sprintf("%04d|%s|%s|%s", number, f.Name, jsonKey(typ, f), typeName(f.Type)))
		}
		slices.Sort(want)
		if got := rows[name]; !slices.Equal(got, want) {
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("%s: %s: no row %s", reference, name, w)
				}
			}
			for _, g := range got {
				if !slices.Contains(want, g) {
					t.Errorf("%s: %s: row %s is of no field", reference, name, g)
				}
			}
		}
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("%s: a table of %s, which is no part of a record", reference, name)
	}
}

// referenceRows are "number|field|key|type" of each table, sorted.
func referenceRows(t *testing.T) map[string][]string {
	b, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	name := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			name = heading
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) != 8 || strings.TrimSpace(cells[0]) == "No" {
			continue
		}
		for i := range cells {
			if cells[i] = strings.TrimSpace(cells[i]); cells[i] == "" {
				t.Errorf("%s: %s: an empty cell: %s", reference, name, line)
			}
		}
		var number int
		fmt.Sscan(cells[0], &number)
		rows[name] = append(rows[name], fmt.Sprintf("%04d|%s|%s|%s", number, cells[1], cells[2], cells[3]))
	}
	for _, list := range rows {
		slices.Sort(list)
	}
	return rows
}

// jsonKey is the key under which a field is shown.
func jsonKey(typ reflect.Type, f reflect.StructField) string {
	for _, shown := range shapes[typ] {
		if shown.name == f.Name {
			return shown.key
		}
	}
	return ""
}

func typeName(t reflect.Type) string { return strings.TrimPrefix(t.String(), "record.") }

// TestTheExampleOfTheReferenceIsARecord compares the annotated JSON with what JSON
// prints. The example leaves out comments and what is empty.
func TestTheExampleOfTheReferenceIsARecord(t *testing.T) {
	b, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "```jsonc\n")
	text, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatalf("%s has no example", reference)
	}
	var plain strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " // ")
		plain.WriteString(line + "\n")
	}
	var got, want any
	if err := json.Unmarshal([]byte(plain.String()), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(JSON(ordinary(), exampleRendering()), &want); err != nil {
		t.Fatal(err)
	}
	if want = withoutEmpty(want); !reflect.DeepEqual(got, want) {
		text, _ := json.MarshalIndent(want, "", "  ")
		t.Errorf("%s: the example is another record than\n%s", reference, text)
	}
}

// withoutEmpty leaves out members that are empty.
func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, member := range v {
			if member = withoutEmpty(member); member == nil {
				delete(v, key)
			} else {
				v[key] = member
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = withoutEmpty(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case bool, string, float64:
		if reflect.ValueOf(v).IsZero() {
			return nil
		}
	}
	return v
}

func exampleRendering() Rendering {
	return Rendering{AuthenticationResults: "mx.example.net; spf=pass (client-ip=192.0.2.32) smtp.mailfrom=bounces.provider.example; " +
		"dkim=pass header.d=provider.example header.i=@provider.example header.s=p2026 header.a=rsa-sha256 header.b=kPz4Zbq0; " +
		"dkim=pass header.d=bank.example header.i=@bank.example header.s=s1 header.a=rsa-sha256 header.b=AbC9d2Ff; arc=none; " +
		"dmarc=pass (p=reject dis=none) header.from=bank.example policy.dmarc=reject"}
}
