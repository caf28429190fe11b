package metrics

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"alignd/resolver"
)

var goVersion = runtime.Version()

// docs/monitoring.md lists every metric with its type and labels, and no others.
func TestEveryMetricIsListed(t *testing.T) {
	m := newMetrics(t, exceptions(t, nil, 5))
	m.Take(judged())
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]string{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "alignd_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		there[f.GetName()] = fmt.Sprintf("%s | %s", strings.ToLower(f.GetType().String()), strings.Join(labels, ", "))
	}
	page, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- metrics -->")
	table, _, _ = strings.Cut(table, "<!-- end of metrics -->")
	listed := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(alignd_[a-z_]+)` \\| ([a-z]+) \\| (.*?) ?\\| ").FindAllStringSubmatch(table, -1) {
		listed[row[1]] = fmt.Sprintf("%s | %s", row[2], row[3])
	}
	for name, is := range there {
		if listed[name] != is {
			t.Errorf("monitoring.md says %q of %s, which is %q", listed[name], name, is)
		}
	}
	for name := range listed {
		if there[name] == "" {
			t.Errorf("monitoring.md lists %s, which is no metric", name)
		}
	}
	if len(there) < 25 {
		t.Errorf("only %d metrics", len(there))
	}
}

// The closed sets are the constants of the packages that the words come from.
func TestClosedSetsAreWhole(t *testing.T) {
	for _, row := range []struct {
		folder, kind string
		set          []string
	}{
		{folder: "../policy", kind: "Disposition", set: dispositions},
		{folder: "../policy", kind: "Delivery", set: deliveries},
		{folder: "../policy", kind: "Step", set: steps},
		{folder: "../policy", kind: "Fact", set: facts},
		{folder: "../record", kind: "End", set: ends},
		{folder: "../resolver", kind: "Outcome", set: outcomes()[len(outcomes())-7:]}, // those that are no RCODE
	} {
		var got []string
		for _, v := range constants(t, row.folder, row.kind) {
			if v != "" {
				got = append(got, v)
			}
		}
		set := slices.Sorted(slices.Values(row.set))
		if slices.Sort(got); len(got) == 0 || !slices.Equal(got, set) {
			t.Errorf("%s of %s: the constants are %q, the set is %q", row.kind, row.folder, got, set)
		}
	}
	var words []string
	for _, w := range constants(t, "../evidence", "Result") {
		if w != "" {
			words = append(words, w)
		}
	}
	for method, list := range results {
		for _, r := range list {
			if !slices.Contains(words, string(r)) {
				t.Errorf("%s: no result %q", method, r)
			}
		}
	}
	if n := len(resolver.Outcomes()); n != 13 {
		t.Errorf("%d outcomes", n)
	}
}

// constants are the values of a package's constants of a string type.
func constants(t *testing.T, folder, kind string) (values []string) {
	t.Helper()
	names, err := filepath.Glob(folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			name, typed := spec.Type.(*ast.Ident)
			lit, literal := spec.Values[0].(*ast.BasicLit)
			if typed && literal && name.Name == kind {
				v, _ := strconv.Unquote(lit.Value)
				values = append(values, v)
			}
			return true
		})
	}
	return values
}
