package filter

// Notices takes notifications about mail of this site as they come by (RFC 3464). It is
// told beside the verdict and has no say in it.
type Notices interface {
	// Expects reports whether an address is the envelope sender of such mail. It is
	// called at each RCPT of a message with the null reverse-path, and returns at once.
	Expects(recipient string) bool
	// Take gets a message to that address alone, cut after MaxNotice octets. It returns
	// at once.
	Take(recipient string, message []byte)
}

// MaxNotice is how much is kept of a notification; ours. What it says stands before the
// mail that it returns.
const MaxNotice = 64 << 10

// Notify has n told. It is called before the first message.
func (f *Filter) Notify(n Notices) { f.notices = n }

// notice is a message that may be a notification. A nil one is none.
type notice struct {
	recipient string
	text      []byte
}

// expect looks at a further recipient: what is to others too is mail as any.
func (s *session) expect(recipient string) {
	msg, n := s.message, s.filter.notices
	msg.recipients++
	msg.notice = nil
	if n != nil && msg.recipients == 1 && msg.envelope.MailFrom == "" && n.Expects(recipient) {
		msg.notice = &notice{recipient: recipient}
	}
}

// field and add keep what comes, until it is enough.
func (n *notice) field(name, value []byte) {
	n.add(name)
	n.add([]byte{':'})
	n.add(value)
	n.add([]byte("\r\n"))
}

func (n *notice) add(octets []byte) {
	if n != nil {
		n.text = append(n.text, octets[:min(len(octets), MaxNotice-len(n.text))]...)
	}
}

// tell hands on a message that came to its end, whatever the verdict: the address is
// known to nobody but who got the mail.
func (s *session) tell() {
	if n := s.message.notice; n != nil {
		s.message.notice = nil
		s.filter.notices.Take(n.recipient, n.text)
	}
}
