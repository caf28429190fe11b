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
	days  []day // newest first
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

// from is what a statement reads: columns of the rows of the days' own partitions. The server
// plans for these in a fifth of the time that it takes for as many of the parent's.
func (c *condition) from(columns string) string {
	var list []string
	for _, d := range c.days {
		list = append(list, "SELECT "+columns+" FROM "+d.partition("records")+c.where())
	}
	return "(" + strings.Join(list, " UNION ALL ") + ") AS rows"
}

// fromAll reads the same of the parent, of which a day may go meanwhile.
func (c *condition) fromAll(columns string) string {
	var spans []string
	for days := c.days; len(days) > 0; {
		n := together(days)
		spans = append(spans, fmt.Sprintf("time BETWEEN %d AND %d", days[n-1].begin(), (days[0]+1).begin()-1))
		days = days[n:]
	}
	all := c.clone()
	all.parts = append(all.parts, "("+strings.Join(spans, " OR ")+")")
	return "(SELECT " + columns + " FROM records" + all.where() + ") AS rows"
}

// where is empty where all is wanted.
func (c *condition) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

func (c *condition) clone() *condition {
	return &condition{days: c.days, parts: slices.Clone(c.parts), args: slices.Clone(c.args), few: c.few}
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

func keyOf(kind, text string) int64 { return int64(journal.KeyOf(kind, text)) }

// condition is that of the query for some days, newest first.
func (s *search) condition(ctx context.Context, days []day) (*condition, error) {
	q := s.query
	c := &condition{days: days, few: few(q)}
	c.span(q)
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
		c.key("mailfrom", journal.ColumnDomain, journal.DomainOf(q.MailFrom))
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
	return c, s.client(ctx, c)
}

// span wants the time of a query, which may begin or end within a day.
func (c *condition) span(q *journal.Query) {
	if !q.Since.IsZero() {
		c.add("time >= $", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		c.add("time <= $", q.Until.UnixMilli())
	}
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

// client adds what columns say of a client's network.
func (s *search) client(ctx context.Context, c *condition) error {
	first, last := journal.NumbersOf(s.query.Client)
	if first == last {
		c.add("client = $", first)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	most, count := frequent*len(c.days), 0
	rows := &condition{days: c.days}
	rows.span(s.query)
	rows.add("client BETWEEN $ AND $", first, last)
	err := rows.ask("1", func(from string) error {
		return s.conn.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM "+from+" LIMIT "+strconv.Itoa(most)+") AS few", rows.args...).Scan(&count)
	})
	if err != nil {
		return late(ctx, err, readWithin)
	}
	column := "client"
	if count == most {
		column = "client + 0" // an expression that no index has
	} else {
		c.few = true
	}
	c.add(column+" BETWEEN $ AND $", first, last)
	return nil
}

// ask has a statement read the days by their partitions, or where one of these went, by the parent.
func (c *condition) ask(columns string, statement func(from string) error) error {
	err := statement(c.from(columns))
	if isGone(err) {
		err = statement(c.fromAll(columns))
	}
	return err
}
