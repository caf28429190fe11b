package sqlite

import (
	"context"
	"database/sql"
	"net/netip"
	"slices"
	"strings"

	"alignd/journal"
)

// condition is what columns say of a query. They are only to find its entries soon.
type condition struct {
	parts []string
	args  []any
}

func (c *condition) add(text string, values ...any) {
	c.parts = append(c.parts, text)
	c.args = append(c.args, values...)
}

// key wants that a column has the key of a text, if there is one.
func (c *condition) key(column, kind, text string) {
	if text != "" {
		c.add(column+" = ?", int64(journal.KeyOf(kind, text)))
	}
}

func (c *condition) where() string {
	if len(c.parts) == 0 {
		return "1"
	}
	return strings.Join(c.parts, " AND ")
}

// networkKey is what version 1 has of a client: the key of its /24 or /48.
const networkKey = "network"

// condition is that of q for files of this layout, but for the client.
func (l layout) condition(q *journal.Query) *condition {
	c := &condition{}
	c.key("queue", journal.ColumnQueue, q.QueueID)
	c.key("token", journal.ColumnToken, q.Token)
	c.key("message", journal.ColumnMessageID, journal.BareID(q.MessageID))
	if q.ID != "" {
		c.add("(queue = ? OR token = ? OR message = ?)", int64(journal.KeyOf(journal.ColumnQueue, q.ID)),
			int64(journal.KeyOf(journal.ColumnToken, q.ID)), int64(journal.KeyOf(journal.ColumnMessageID, journal.BareID(q.ID))))
	}
	c.key("rule", journal.ColumnRule, q.Rule)
	c.key("author", journal.ColumnDomain, q.Domain)
	c.key("mailfrom", journal.ColumnDomain, journal.DomainOf(q.MailFrom))
	if sender := journal.SenderOf(q.MailFrom); sender != 0 && l > 1 {
		c.add("sender = ?", int64(sender))
	}
	if !q.Since.IsZero() {
		c.add("time >= ?", q.Since.UnixMilli())
	}
	if !q.Until.IsZero() {
		c.add("time <= ?", q.Until.UnixMilli())
	}
	if q.Disposition != "" {
		c.add("results / 100 % 10 = ?", slices.Index(journal.Dispositions, q.Disposition)+1)
	}
	for _, d := range q.Digits() {
		c.add("results / ? % 10 = ?", d.Place, d.Value)
	}
	if q.Would != "" && l > 1 {
		c.add("results / 10000000 % 10 = ?", slices.Index(journal.Deliveries, q.Would)+1)
	}
	return c
}

// frequent is how many rows of a network make it quicker to read all rows, newest first,
// than to sort those of the index. The number is ours.
const frequent = 20_000

// client adds what columns say of a client's network.
func (l layout) client(ctx context.Context, conn *sql.Conn, c *condition, p netip.Prefix, indexed bool) error {
	if !p.IsValid() {
		return nil
	}
	if l == 1 {
		if n := journal.NetworkOf(p.Addr()); n.Bits() <= p.Bits() {
			c.key("network", networkKey, n.String())
		}
		return nil
	}
	first, last := journal.NumbersOf(p)
	if first == last {
		c.add("client = ?", first)
		return nil
	}
	column := "client"
	if indexed {
		var count int
		text := "SELECT count(*) FROM (SELECT 1 FROM records WHERE client BETWEEN ? AND ? LIMIT ?)"
		if err := conn.QueryRowContext(ctx, text, first, last, frequent).Scan(&count); err != nil {
			return err
		}
		if count == frequent {
			column = "+client" // not by the index (sqlite.org/optoverview.html, disqualifying terms)
		}
	}
	c.add(column+" BETWEEN ? AND ?", first, last)
	return nil
}
