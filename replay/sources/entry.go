package sources

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// write makes the text of the entry. All names in it are plain: who sends cannot put YAML
// into it.
func (c *candidate) write(s *Survey) {
	expires := s.opt.Now.UTC().Add(entryFor).Format(time.DateOnly)
	switch c.class.key.kind {
	case vendor:
		c.ID = s.freeID(c.proof.signer + "-for-" + c.Author)
		c.Entry = c.exception(fmt.Sprintf("%s sends as %s and signs with its own domain", c.proof.signer, c.Author), "", expires)
	case list:
		c.ID = s.freeID("list-" + c.proof.list)
		c.Entry = c.exception("mailing list "+c.proof.list, "mailing_list", expires)
	case sealer:
		c.ID = s.freeID("sealer-" + c.proof.signer)
		c.Entry = c.trustedSealer()
	case relay:
		c.ID = s.freeID("gateway-" + c.proof.signer)
		c.Entry = c.trustedRelay()
	}
}

func (c *candidate) exception(reason, override, expires string) string {
	b := new(strings.Builder)
	fmt.Fprintf(b, "exceptions:\n  - id: %s\n    action: accept\n    scope:\n      author_domains: %s\n", quote(c.ID), quotes(c.proof.authors))
	if c.proof.list != "" {
		fmt.Fprintf(b, "      list_ids: %s\n", quotes([]string{c.proof.list}))
	}
	fmt.Fprintf(b, "    proof:\n      dkim: %s\n", quotes([]string{c.proof.signer}))
	if c.proof.sender != "" {
		fmt.Fprintf(b, "      spf: %s\n", quotes([]string{c.proof.sender}))
	}
	if len(c.proof.clients) > 0 {
		fmt.Fprintf(b, "      clients: %s\n", quotes(c.addresses()))
	}
	if override != "" {
		fmt.Fprintf(b, "    override: %s\n", override)
	}
	fmt.Fprintf(b, "    reason: %s\n    owner: postmaster\n    expires: %s\n", quote(reason), expires)
	return b.String()
}

func (c *candidate) trustedSealer() string {
	b := new(strings.Builder)
	d := c.proof.signer
	fmt.Fprintf(b, "trusted_sealers:\n  - id: %s\n    domains: %s\n    clients: %s\n", quote(c.ID), quotes([]string{d}), quotes(c.addresses()))
	var ids []string
	related := true
	for _, id := range c.class.servIDs.sorted() {
		ids = append(ids, id.Name)
		related = related && (isAtOrBelow(id.Name, d) || isBelow(d, id.Name))
	}
	if !related {
		slices.Sort(ids)
		fmt.Fprintf(b, "    authserv_ids: %s\n", quotes(ids))
	}
	if !c.class.modified {
		b.WriteString("    unmodified: true\n")
	}
	return b.String()
}

func (c *candidate) addresses() []string {
	var list []string
	for _, ip := range c.proof.clients {
		list = append(list, ip.String())
	}
	return list
}

// freeID is an id that no entry has.
func (s *Survey) freeID(id string) string {
	free := id
	for n := 2; s.opt.Taken != nil && s.opt.Taken(free) || s.ids[free]; n++ {
		free = id + "-" + strconv.Itoa(n)
	}
	s.ids[free] = true
	return free
}

// quote writes a plain text as YAML takes it, whatever it might mean there otherwise.
func quote(s string) string { return `"` + s + `"` }

func quotes(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
