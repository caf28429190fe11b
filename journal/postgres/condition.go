package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"alignd/journal"
)

// condition is what columns say of a query, for some days. They are only to find its
// entries soon.
type condition struct {
	parts []string
	args  []any
	few   bool // so few rows that they are found first and then put in order
}

// few: what is wanted has one of the keys that recur rarely.
func few(q *journal.Query) bool {
	return q.QueueID != "" || q.Token != "" || q.MessageID != "" || q.ID != ""
}

// unindexed: no index knows anything of what is wanted but the time.
func unindexed(q *journal.Query) bool {
	return !few(q) && q.Domain == "" && q.MailFrom == "" && !q.Client.IsValid() &&
		(q.Rule != "" || q.Disposition != "" || q.Would != "" || len(q.Digits()) > 0)
}

func (c *condition) where() string { return strings.Join(c.parts, " AND ") }

func (c *condition) clone() *condition {
	return &condition{parts: slices.Clone(c.parts), args: slices.Clone(c.args), few: c.few}
}

// add adds a part, in which each $ stands for an argument.
func (c *condition) add(text string, args ...any) {
	for _, a := range args {
		c.args = append(c.args, a)
		text = strings.Replace(text, "$", fmt.Sprintf("\x00%d", len(c.args)), 1)
	}
	c.parts = append(c.parts, strings.ReplaceAll(text, "\x00", "$"))
}

// key wants that a column has the key of a text, if there is one.
func (c *condition) key(column, kind, text string) {
	if text != "" {
		c.add(column+" = $", keyOf(kind, text))
	}
}

// domainOf is that of an address, or the domain itself.
func domainOf(mailFrom string) string {
	return strings.ToLower(mailFrom[strings.LastIndexByte(mailFrom, '@')+1:])
}

func keyOf(kind, text string) int64 { return int64(journal.KeyOf(kind, text)) }

// condition is that of the query for some days, newest first.
func (s *search) condition(ctx context.Context, days []day) (*condition, error) {
	q := s.query
	c := &condition{few: few(q)}
	c.span(q, days)
	c.key("queue", journal.ColumnQueue, q.QueueID)
	c.key("token", journal.ColumnToken, q.Token)
	c.key("message", journal.ColumnMessageID, journal.BareID(q.MessageID))
	if q.ID != "" {
		c.add("(queue = $ OR token = $ OR message = $)", keyOf(journal.ColumnQueue, q.ID), keyOf(journal.ColumnToken, q.ID),
			keyOf(journal.ColumnMessageID, journal.BareID(q.ID)))
	}
	c.key("rule", journal.ColumnRule, q.Rule)
	c.key("author", journal.ColumnDomain, q.Domain)
	if q.MailFrom != "" {
		c.key("mailfrom", journal.ColumnDomain, domainOf(q.MailFrom))
		if strings.Contains(q.MailFrom, "@") {
			c.add("sender = $", int32(journal.SenderOf(q.MailFrom)))
		}
	}
	if q.Disposition != "" {
		c.add("results / 100 % 10 = $", int32(slices.Index(journal.Dispositions, q.Disposition)+1))
	}
	for _, d := range q.Digits() {
		c.add("results / $ % 10 = $", int32(d.Place), int32(d.Value))
	}
	if q.Would != "" {
		c.add("results / 10000000 % 10 = $", int32(slices.Index(journal.Deliveries, q.Would)+1))
	}
	if !q.Client.IsValid() {
		return c, nil
	}
	return c, s.client(ctx, c, days)
}

// span wants a time of some days, which the server takes for their partitions.
func (c *condition) span(q *journal.Query, days []day) {
	var spans []string
	var bounds []any
	for len(days) > 0 {
		n := together(days)
		from, to := days[n-1].begin(), (days[0]+1).begin()-1
		if !q.Since.IsZero() {
			from = max(from, q.Since.UnixMilli())
		}
		if !q.Until.IsZero() {
			to = min(to, q.Until.UnixMilli())
		}
		spans, bounds = append(spans, "time BETWEEN $ AND $"), append(bounds, from, to)
		days = days[n:]
	}
	c.add("("+strings.Join(spans, " OR ")+")", bounds...)
}

// together is how many of days, newest first, are one after the other.
func together(days []day) int {
	n := 1
	for n < len(days) && days[n] == days[n-1]-1 {
		n++
	}
	return n
}

// frequent is how many rows of a network make it quicker to read all rows of a day, newest
// first, than to sort those of the index. The number is ours.
const frequent = 20_000

// client adds what columns say of a client's network, for some days.
func (s *search) client(ctx context.Context, c *condition, days []day) error {
	first, last := journal.NumbersOf(s.query.Client)
	if first == last {
		c.add("client = $", first)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var count int
	rows := &condition{}
	rows.span(s.query, days)
	rows.add("client BETWEEN $ AND $", first, last)
	text := "SELECT count(*) FROM (SELECT FROM records WHERE " + rows.where() + " LIMIT " + strconv.Itoa(frequent*len(days)) + ") AS few"
	if err := s.conn.QueryRow(ctx, text, rows.args...).Scan(&count); err != nil {
		return late(ctx, err, readWithin)
	}
	column := "client"
	if count == frequent*len(days) {
		column = "client + 0" // an expression that no index has
	} else {
		c.few = true
	}
	c.add(column+" BETWEEN $ AND $", first, last)
	return nil
}
