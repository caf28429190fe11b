package cases

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// Diff tells what became of a message on its way: one line "+ Name: value"
// for each field that was added and "- Name: value" for each that is gone, in
// the order of the header, values unfolded. The topmost Received field that
// names host as its writer is the MTA's own and is left out. Anything else
// that changed, a byte of the body included, is an error.
func Diff(sent, delivered []byte, host string) ([]string, error) {
	sentFields, sentBody := split(normalize(sent))
	fields, body := split(delivered)
	fields = withoutTrace(fields, host)
	if !bytes.Equal(body, sentBody) {
		return nil, fmt.Errorf("the body changed: %s", firstDifference(sentBody, body))
	}
	return diffFields(sentFields, fields), nil
}

// normalize gives every line CRLF and ends the last line, as an SMTP client
// does.
func normalize(message []byte) []byte {
	message = bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
	if !bytes.HasSuffix(message, []byte("\n")) {
		message = append(message, '\n')
	}
	return bytes.ReplaceAll(message, []byte("\n"), []byte("\r\n"))
}

// split parts a message with CRLF into its raw fields, without their last
// CRLF, and its body.
func split(message []byte) (fields []string, body []byte) {
	for len(message) > 0 {
		end := bytes.Index(message, []byte("\r\n"))
		if end < 0 {
			end = len(message) - 2
		}
		line, rest := string(message[:end]), message[end+2:]
		switch {
		case line == "":
			return fields, rest
		case (line[0] == ' ' || line[0] == '\t') && len(fields) > 0:
			fields[len(fields)-1] += "\r\n" + line
		case !fieldStart.MatchString(line):
			return fields, message // the MTA puts the missing empty line
		default:
			fields = append(fields, line)
		}
		message = rest
	}
	return fields, nil
}

var fieldStart = regexp.MustCompile(`^[!-9;-~]+[ \t]*:`)

func withoutTrace(fields []string, host string) []string {
	for i, f := range fields {
		if strings.HasPrefix(f, "Received:") && strings.Contains(f, "by "+host+" ") {
			return append(append([]string(nil), fields[:i]...), fields[i+1:]...)
		}
	}
	return fields
}

// diffFields is the shortest edit script, by a longest common subsequence.
func diffFields(old, new []string) []string {
	common := make([][]int32, len(old)+1)
	for i := range common {
		common[i] = make([]int32, len(new)+1)
	}
	for i := len(old) - 1; i >= 0; i-- {
		for j := len(new) - 1; j >= 0; j-- {
			if old[i] == new[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			i, j = i+1, j+1
		case j < len(new) && (i == len(old) || common[i][j+1] >= common[i+1][j]):
			out = append(out, "+ "+Unfold(new[j]))
			j++
		default:
			out = append(out, "- "+Unfold(old[i]))
			i++
		}
	}
	return out
}

var folds = regexp.MustCompile(`\r?\n[ \t]+`)

// Unfold puts a field on one line: each fold becomes one space, and other
// control characters are shown as \xNN.
func Unfold(field string) string {
	field = folds.ReplaceAllString(field, " ")
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if c := field[i]; c < ' ' && c != '\t' || c == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func firstDifference(want, got []byte) string {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	cut := func(b []byte) []byte { return b[min(i, len(b)):min(i+40, len(b))] }
	return fmt.Sprintf("%d octets sent, %d delivered; at %d sent %q, delivered %q",
		len(want), len(got), i, cut(want), cut(got))
}

// Values are the values of the fields called name in a message with CRLF, as
// they stand there, folds and all.
func Values(message []byte, name string) (values []string) {
	fields, _ := split(message)
	for _, f := range fields {
		if n, v, ok := strings.Cut(f, ":"); ok && strings.EqualFold(strings.TrimRight(n, " \t"), name) {
			values = append(values, v)
		}
	}
	return values
}
