package postgres

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/jackc/pgx/v5"

	"alignd/journal"
)

// copying gathers rows for COPY in its binary format: a header, then of each row the number
// of its fields and each field with its length, then the number -1.
// https://www.postgresql.org/docs/current/sql-copy.html
type copying struct{ buf []byte }

const copyHeader = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func (c *copying) begin() { c.buf = append(c.buf[:0], copyHeader...) }

func (c *copying) row(fields uint16) { c.buf = binary.BigEndian.AppendUint16(c.buf, fields) }

func (c *copying) int64(n int64) {
	c.buf = binary.BigEndian.AppendUint32(c.buf, 8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(n))
}

func (c *copying) int32(n int32) {
	c.buf = binary.BigEndian.AppendUint32(c.buf, 4)
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(n))
}

func (c *copying) bytes(b []byte) {
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(len(b)))
	c.buf = append(c.buf, b...)
}

func (c *copying) send(ctx context.Context, conn *pgx.Conn, into string) error {
	c.buf = binary.BigEndian.AppendUint16(c.buf, 0xffff)
	_, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(c.buf), "COPY "+into+" FROM STDIN (FORMAT binary)")
	return err
}

// What record and block write, in this order.
const (
	intoRecords = "records (id, time, queue, token, message, author, mailfrom, client, rule, sender, results)"
	intoBlocks  = "blocks (day, id, items, data)"
)

func (c *copying) record(of *journal.Columns, id int64) {
	c.row(11)
	for _, n := range [...]int64{id, of.Time, int64(of.Queue), int64(of.Token), int64(of.MessageID), int64(of.Author),
		int64(of.MailFrom), of.Client, int64(of.Rule)} {
		c.int64(n)
	}
	c.int32(int32(of.Sender))
	c.int32(int32(of.Results()))
}

func (c *copying) block(d day, id int64, items int, data journal.Block) {
	c.row(4)
	c.int32(int32(d))
	c.int64(id)
	c.int32(int32(items))
	c.bytes(data)
}
