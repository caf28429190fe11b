// Package resolver asks DNS for all of alignd.
//
// A Resolver asks the recursive servers of the system or of the configuration,
// a Zone answers from a zone file, and a Budget limits, remembers and lists
// what one message asks. All three are a Lookuper; checks know no other.
//
//	r, err := resolver.New(resolver.Options{})
//	b := resolver.NewBudget(r, resolver.BudgetOptions{})
//	answer, err := b.Lookup(ctx, "_dmarc.example.com", dns.TypeTXT)
//	record := resolver.Memo(answer, recordKind{}, parseRecord)
//
// # Answers
//
// An Answer is complete and exact, or there is none. Its records have the name
// asked as their owner, or the end of the CNAME chain that starts there
// (RFC 1034 section 3.6.2; at most 16 steps, asking again where one message
// does not hold the whole chain). Other records in a message are not looked
// at, so a server cannot slip in what nobody asked for. Text is raw octets,
// the strings of one TXT record joined without separator. NXDOMAIN and NODATA
// are answers and stay distinct.
//
// A set of records of which one is malformed, a message that announces more
// records than it holds, and an NXDOMAIN that comes with records are temporary
// errors: a set that lost a record silently could turn a verdict.
//
// # Errors
//
// Every error is an *Error and wraps ErrTemporary (SERVFAIL, REFUSED, silence,
// a malformed answer, the caller's time is up), ErrBudget or ErrName.
//
// # Asking
//
// Questions go out over UDP with EDNS (RFC 6891, 1232 octets), over TCP when
// the answer is truncated, without EDNS when a server does not know it. Each
// has a random ID and a socket of its own, whose port the kernel draws (RFC 5452
// section 9). A datagram that differs in ID, opcode or question is ignored and the
// real one awaited.
//
// A server that reports an error is not asked again for that question; one
// that is silent is, and goes to the end of the list for 30 seconds. Its socket is
// read on as long as anybody waits, so an answer that comes late is an answer. Callers
// who ask the same at the same time share one question. It has its own
// deadline, and ends early only when all of them have given up.
//
// # Cache
//
// Answers live for the least TTL on their way, negative ones for the SOA's
// (RFC 2308 section 5; 30 seconds without SOA record, see bareNegativeTTL),
// within the bounds of Options. NXDOMAIN holds for all types of its name, but
// is not extended to the names below it (a departure from RFC 8020, see
// Resolver.denied). Temporary failures live for one second (RFC 9520 section
// 3.2). A TTL of zero is not kept. The cache is otter (W-TinyLFU): memory is
// bounded in octets, and a flood of names that are asked once does not drive
// out those that are asked often. A record parsed through Memo lives as long
// as its Answer.
//
// # Files
//
//	resolver.go  the cache and who asks for what it has not; flight.go: callers who ask the same
//	inquiry.go   one question on its way; exchange.go: one try; late.go: an answer that comes late
//	reply.go     what a message from a server says; name.go: how names are written
//	budget.go    what one message may ask; share.go: what each check may; turn.go: who comes next
//	answer.go    Answer, Error and Lookuper; ready.go: what is known without asking
//	zone.go      answers from a zone file; zonefile.go reads it
//	options.go   how a Resolver is set up; system.go: the servers of the system
//	failures.go  questions without answer, for evidence; observe.go: for metrics
package resolver
