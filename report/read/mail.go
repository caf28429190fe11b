package read

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"

	"alignd/header"
)

// maxText is how much of a plain text is looked at for a failure report, and maxTexts how
// much of all of one file; ours.
const (
	maxText  = 64 << 10
	maxTexts = 20 * maxText
)

// mail reads a message for the reports that it carries (RFC 9990 section 3.5.2,
// RFC 9991 section 4).
func (f *file) mail(part string, depth int, in *bufio.Reader) error {
	fields, body, err := section(in)
	if err != nil {
		return f.local(part, err)
	}
	e := entityOf(func(name string) string { return field(fields, name) })
	return f.entity(part, depth, e, body)
}

// entity is the MIME type and encoding of a message or part.
type entity struct {
	mediaType string
	params    map[string]string
	encoding  string
	filename  string
	boundary  string // as it divides the parts
}

// boundaryIn is the boundary of a multipart: the one that is declared, or else the first
// line that looks like one.
func boundaryIn(body []byte, declared string) string {
	if declared != "" && bytes.Contains(body, []byte("--"+declared)) {
		return declared
	}
	for line := range bytes.Lines(body) {
		if found, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("--")); ok && len(found) > 0 && len(found) <= 70 {
			return string(found)
		}
	}
	return declared
}

// startsParts reports whether a body is that of a multipart, whatever it is called.
func startsParts(body []byte) bool {
	line, rest, _ := bytes.Cut(bytes.TrimLeft(body, "\r\n"), []byte("\n"))
	return bytes.HasPrefix(line, []byte("--")) && startsMIME(rest)
}

// startsMIME reports whether a field of MIME comes before an empty line and a boundary.
func startsMIME(text []byte) bool {
	const mime = "content-"
	for line := range bytes.Lines(text) {
		switch {
		case len(bytes.TrimRight(line, "\r\n")) == 0, bytes.HasPrefix(line, []byte("--")):
			return false
		case len(line) > len(mime) && bytes.EqualFold(line[:len(mime)], []byte(mime)):
			return true
		}
	}
	return false
}

func entityOf(get func(string) string) entity {
	e := entity{encoding: strings.ToLower(strings.TrimSpace(get("Content-Transfer-Encoding")))}
	if end := strings.IndexAny(e.encoding, " \t;("); end >= 0 { // a comment, mostly
		e.encoding = e.encoding[:end]
	}
	value := get("Content-Type")
	var err error
	if e.mediaType, e.params, err = mime.ParseMediaType(value); err != nil {
		word, _, _ := strings.Cut(value, ";")
		e.mediaType = strings.ToLower(strings.TrimSpace(word))
		if e.params == nil {
			e.params = map[string]string{"boundary": looseBoundary(value)}
		}
	}
	if _, params, err := mime.ParseMediaType(get("Content-Disposition")); err == nil {
		e.filename = params["filename"]
	}
	if e.filename == "" {
		e.filename = e.params["name"]
	}
	return e
}

// looseBoundary finds the boundary in a Content-Type that is not by the grammar.
func looseBoundary(value string) string {
	_, rest, ok := strings.Cut(strings.ToLower(value), "boundary=")
	if !ok {
		return ""
	}
	rest = value[len(value)-len(rest):]
	if quoted, ok := strings.CutPrefix(rest, `"`); ok {
		rest, _, _ = strings.Cut(quoted, `"`)
		return rest
	}
	end := strings.IndexAny(rest, "; \t\r\n")
	if end < 0 {
		end = len(rest)
	}
	return rest[:end]
}

// field is the first field of a name, unfolded.
func field(fields *header.Fields, name string) string {
	for i := range fields.Len() {
		if fd := fields.At(i); fd.Is(name) {
			return unfold(fd.Value())
		}
	}
	return ""
}

func unfold(value []byte) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", "", "\n", "", "\r", "").Replace(string(value)))
}

func (f *file) entity(part string, depth int, e entity, body io.Reader) error {
	buf := bufio.NewReaderSize(body, 16<<10)
	head, _ := buf.Peek(16 << 10)
	isMultipart := strings.HasPrefix(e.mediaType, "multipart/")
	isEncoded := isMultipart && (e.encoding == "base64" || e.encoding == "quoted-printable") // against RFC 2045 section 6.4
	if isMultipart || startsParts(head) {
		e.boundary = boundaryIn(head, e.params["boundary"])
		if e.boundary != "" && (!isEncoded || bytes.Contains(head, []byte("--"+e.boundary))) {
			return f.multipart(part, depth, e, buf)
		}
	}
	decoded := decode(e.encoding, buf)
	if isEncoded {
		e.encoding = ""
		return f.entity(part, depth, e, decoded)
	}
	switch {
	case e.mediaType == "message/feedback-report":
		return f.feedback(part, decoded)
	case e.mediaType == "message/rfc822", e.mediaType == "message/global":
		return f.content(within(part, "message"), depth+1, decoded)
	case e.mediaType == "text/plain", e.mediaType == "":
		return f.plain(part, depth, decoded)
	case strings.HasPrefix(e.mediaType, "image/"), e.mediaType == "text/html", e.mediaType == "text/rfc822-headers",
		e.mediaType == "application/pgp-signature", e.mediaType == "application/pkcs7-signature":
		return f.unlikely(part, depth, decoded)
	}
	return f.content(part, depth+1, decoded)
}

// unlikely reads what is called something that holds no report, if it is one all the same.
func (f *file) unlikely(part string, depth int, in io.Reader) error {
	buf := bufio.NewReaderSize(in, 16<<10)
	head, _ := buf.Peek(1024)
	switch kind := kindOf(head); {
	case kind == kindGzip, kind == kindZip, kind == kindBase64, kind == kindXML && startOfReport(head) >= 0:
		return f.content(part, depth+1, buf)
	}
	return nil
}

// plain reads a text that may be a report all the same, or tell of a failure.
func (f *file) plain(part string, depth int, in io.Reader) error {
	buf := bufio.NewReaderSize(in, 16<<10)
	head, _ := buf.Peek(1024)
	switch kindOf(head) {
	case kindGzip, kindZip, kindXML, kindBase64, kindJSON, kindFeedback:
		return f.content(part, depth+1, buf)
	}
	if all, _ := buf.Peek(16 << 10); startOfReport(all) >= 0 {
		_, _ = buf.Discard(startOfReport(all))
		return f.content(part, depth+1, buf)
	}
	if f.text != nil || f.texts >= maxTexts {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(buf, maxText))
	f.texts += len(text)
	if f.text = textReport(text); f.text != nil || !f.hasText {
		f.textPart = part
	}
	f.hasText = true
	return nil
}

func (f *file) multipart(part string, depth int, e entity, body io.Reader) error {
	if depth > f.limits.Depth {
		return boundError{"containers in each other"}
	}
	failure := e.mediaType == "multipart/report" && strings.EqualFold(e.params["report-type"], "feedback-report")
	all := newParts(body, e.boundary)
	for n := 1; ; n++ {
		if more, err := all.next(); !more {
			return f.local(part, err)
		}
		if f.parts++; f.parts > f.limits.Parts {
			return boundError{"parts of one file"}
		}
		where := within(part, fmt.Sprintf("part %d", n))
		fields, in, err := section(bufio.NewReader(all))
		if err != nil {
			f.problem(where, err)
			continue
		}
		sub := entityOf(func(name string) string { return field(fields, name) })
		if sub.mediaType == "" && e.mediaType == "multipart/digest" {
			sub.mediaType = "message/rfc822" // RFC 2046 section 5.1.5
		}
		if sub.filename != "" {
			where += fmt.Sprintf(" %.100q", sub.filename)
		}
		isFeedback := sub.mediaType == "message/feedback-report"
		failure = failure || isFeedback
		switch {
		case isFeedback && field(fields, feedbackType) != "": // a blank stands in the line between
			err = f.feedbackFields(where, fields)
		case failure && !isFeedback && strings.HasPrefix(sub.mediaType, "message/"):
			continue // the message that the report is about
		default:
			err = f.entity(where, depth+1, sub, in)
		}
		if err != nil {
			return err
		}
	}
}

// decode undoes a Content-Transfer-Encoding (RFC 2045 section 6).
func decode(encoding string, r io.Reader) io.Reader {
	switch encoding {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, &alphabet{r: r})
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	}
	return r
}

// alphabet drops what is not of base64's alphabet (RFC 2045 section 6.8: "all
// line breaks or other characters not found in Table 1 must be ignored"), and what
// follows the padding.
type alphabet struct {
	r     io.Reader
	n     int // characters given out
	ended bool
}

func (a *alphabet) Read(p []byte) (int, error) {
	for {
		n, err := a.r.Read(p)
		kept := p[:0]
		for _, c := range p[:n] {
			switch {
			case a.ended:
			case c == '=':
				kept = a.pad(kept)
			case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
				kept = append(kept, c)
				a.n++
			}
		}
		if err != nil && !a.ended && len(p)-len(kept) >= 3 { // what is cut off is decoded as far as it goes
			if a.n%4 == 1 {
				kept, a.n = append(kept, 'A'), a.n+1
			}
			kept = a.pad(kept)
		}
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}

// pad ends the text with all of the padding, which the decoder wants.
func (a *alphabet) pad(kept []byte) []byte {
	for ; a.n%4 != 0; a.n++ {
		kept = append(kept, '=')
	}
	a.ended = true
	return kept
}
