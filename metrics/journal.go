package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Journal is how the journal is doing. Of one that is not open nothing else is told.
type Journal struct {
	Configured bool // the configuration has one
	Open       bool // it is kept

	Written, Late, Dropped      uint64    // records, of the spool
	Loaded, Missing, Unreadable uint64    // records, of the loader
	Octets, Bound               int64     // of the spool
	Early                       uint64    // segments that went before their time
	Aside                       uint64    // records that a store failed on
	SpoolDamages                uint64    // places of the spool
	SpoolFails                  bool      // its last write failed
	Oldest                      time.Time // of the records that wait; zero for none
	LastLoad                    time.Time // zero for none
	FailingSince                time.Time // zero while the store works
	StoreOctets                 int64
	DamagedFiles                int
	RetentionStopped, Sealing   bool
	SelfTest                    SelfTest // the last one
}

// SelfTest is what came of judging the journal again under what judged it.
type SelfTest struct {
	At     time.Time // zero where none was made
	Failed bool      // it did not come to its end
	Judged uint64    // messages
	Differ uint64    // of these, that are judged otherwise than they were
}

var (
	descJournalConfigured = describe("alignd_journal_configured", "1 where the configuration has a journal.")
	descJournalOpen       = describe("alignd_journal_open", "1 where a journal is kept; where none is, its other metrics are absent.")
	descWritten           = describe("alignd_journal_records_written_total", "Records that the spool has.")
	descLate              = describe("alignd_journal_records_late_total", "Records that followed the answer to their message, as the disk was slow.")
	descDropped           = describe("alignd_journal_records_dropped_total", "Records that were not kept, for want of room or as the disk failed.")
	descLoaded            = describe("alignd_journal_records_loaded_total", "Records that the store took, those of the spool's earlier runs included.")
	descMissing           = describe("alignd_journal_records_missing_total", "Numbers of the spool that no record was found for.")
	descUnreadable        = describe("alignd_journal_records_unreadable_total", "Records in the spool that this version cannot read.")
	descAside             = describe("alignd_journal_records_set_aside_total", "Records that a store fails on, which were set aside so that the others go on.")
	descSpoolOctets       = describe("alignd_journal_spool_bytes", "Octets of the spool.")
	descSpoolBound        = describe("alignd_journal_spool_limit_bytes", "Octets that the spool may have.")
	descEarly             = describe("alignd_journal_spool_segments_removed_early_total", "Segments that went before spool.keep was over, for want of room.")
	descSpoolDamages      = describe("alignd_journal_spool_damages_total", "Places of the spool that hold no whole record.")
	descSpoolFails        = describe("alignd_journal_spool_failing", "1 while the spool cannot be written.")
	descOldest            = describe("alignd_journal_oldest_unloaded_seconds", "Age of the oldest record that a store is yet to take; 0 where none is.")
	descLastLoad          = describe("alignd_journal_last_load_timestamp_seconds", "When a store took records last, in Unix time; absent before the first time.")
	descFailing           = describe("alignd_journal_store_failing_seconds", "How long a store has taken no records; 0 while all work.")
	descStoreOctets       = describe("alignd_journal_store_bytes", "Octets of the store of records.")
	descDamagedFiles      = describe("alignd_journal_damaged_files", "Files of the store that were put aside or cannot be sealed, as they are damaged.")
	descStopped           = describe("alignd_journal_retention_stopped", "1 where the clock jumped, so that nothing is removed until a restart.")
	descSealing           = describe("alignd_journal_sealing", "1 while a file or day that is over gets its indexes or filter.")
	descTested            = describe("alignd_journal_self_test_timestamp_seconds", "When the last self-test ended, in Unix time; absent, as its others, before the first one.")
	descTestFailed        = describe("alignd_journal_self_test_failed", "1 where the last self-test could not be made.")
	descTestJudged        = describe("alignd_journal_self_test_messages", "Messages that the last self-test judged again.")
	descTestDiffer        = describe("alignd_journal_self_test_differences", "Messages that it judged otherwise than they were.")

	journalDescriptors = []*prometheus.Desc{descJournalConfigured, descJournalOpen, descWritten, descLate, descDropped, descLoaded, descMissing,
		descUnreadable, descAside, descSpoolOctets, descSpoolBound, descEarly, descSpoolDamages, descSpoolFails, descOldest, descLastLoad, descFailing,
		descStoreOctets, descDamagedFiles, descStopped, descSealing, descTested, descTestFailed, descTestJudged, descTestDiffer}
)

// journal tells of j.
func (s *state) journal(counter, gauge emit) {
	j := s.src.Journal()
	gauge(descJournalConfigured, truth(j.Configured))
	gauge(descJournalOpen, truth(j.Open))
	if !j.Open {
		return
	}
	now := s.now()
	counter(descWritten, float64(j.Written))
	counter(descLate, float64(j.Late))
	counter(descDropped, float64(j.Dropped))
	counter(descLoaded, float64(j.Loaded))
	counter(descMissing, float64(j.Missing))
	counter(descUnreadable, float64(j.Unreadable))
	counter(descAside, float64(j.Aside))
	gauge(descSpoolOctets, float64(j.Octets))
	gauge(descSpoolBound, float64(j.Bound))
	counter(descEarly, float64(j.Early))
	counter(descSpoolDamages, float64(j.SpoolDamages))
	gauge(descSpoolFails, truth(j.SpoolFails))
	gauge(descOldest, age(now, j.Oldest))
	if !j.LastLoad.IsZero() {
		gauge(descLastLoad, float64(j.LastLoad.UnixMilli())/1000)
	}
	gauge(descFailing, age(now, j.FailingSince))
	gauge(descStoreOctets, float64(j.StoreOctets))
	gauge(descDamagedFiles, float64(j.DamagedFiles))
	gauge(descStopped, truth(j.RetentionStopped))
	gauge(descSealing, truth(j.Sealing))
	if t := &j.SelfTest; !t.At.IsZero() {
		gauge(descTested, float64(t.At.UnixMilli())/1000)
		gauge(descTestFailed, truth(t.Failed))
		gauge(descTestJudged, float64(t.Judged))
		gauge(descTestDiffer, float64(t.Differ))
	}
}

// age is in seconds; 0 of the zero time.
func age(now, since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since).Seconds())
}
