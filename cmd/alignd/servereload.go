package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"alignd/config"
	"alignd/internal/owned"
)

// reload reads the configuration again. All of it is taken, or on a fault
// nothing; messages in progress keep what they began with. Where the new configuration
// wants a preview it is taken up after that, or by a second signal without it.
//
// To read a file may take for ever: a pipe, a share of a network that is down. A signal
// to stop ends the waiting, and is returned.
func (d *daemon) reload(stop <-chan os.Signal) os.Signal {
	d.notify(reloading())
	defer d.notify(sd.SdNotifyReady)
	skip := d.preview != nil
	d.cause = "SIGHUP"
	if skip {
		d.cause = "SIGHUP, a second one that skips the preview"
	}
	d.endPreview()
	read := make(chan reading, 1)
	go func() {
		var r reading
		if err := owned.Tried(d.log, "reading the configuration", func() error { r = d.read(); return nil }); err != nil {
			r.err = err
		}
		read <- r
	}()
	select {
	case r := <-read:
		d.tried("the reload", func() { d.afterReading(r, skip) })
		return nil
	case s := <-stop:
		return s
	}
}

// tried keeps a panic of what is beside mail from ending the daemon: it goes on as it is.
func (d *daemon) tried(what string, f func()) {
	_ = owned.Tried(d.log, what, func() error { f(); return nil }) // the log has it
}

// reading is a configuration as it is now, or why it cannot be taken up.
type reading struct {
	cfg  *config.Config
	file string
	err  error
}

func (d *daemon) read() (r reading) {
	r.file = config.FileOf(d.file)
	if r.cfg, r.err = readConfig(config.Input{File: r.file}); r.err != nil {
		return r
	}
	if emptied := r.cfg.Emptied(d.cfg); len(emptied) > 0 {
		r.err = emptied
	}
	return r
}

// afterReading takes up what was read, or has it previewed.
func (d *daemon) afterReading(r reading, skip bool) {
	if r.err != nil {
		d.refuse(r.err)
		return
	}
	switch wanted, not := d.wantsPreview(r.cfg); {
	case skip && wanted:
		d.log.Warn("the preview of the reload is skipped by a second signal")
	case not != nil && len(r.cfg.PreviewLimit) > 0:
		d.refuse(fmt.Errorf("there is no preview, and preview_limit is set: %w", not))
		return
	case not != nil:
		d.log.Warn("the reload is not previewed", "err", not)
	case wanted:
		d.startPreview(r.cfg, r.file)
		return
	}
	d.takeUp(r.cfg, r.file)
}

// takeUp puts a configuration that was read in force, and tells.
func (d *daemon) takeUp(cfg *config.Config, file string) {
	before := d.cfg
	if err := d.reconfigure(cfg, file); err != nil {
		d.refuse(err)
		return
	}
	d.warnSpaceless()
	restart := needsRestart(d.begun, d.cfg)
	d.telemetry.reloaded(d.cfg, restart, nil)
	d.warn(d.cfg)
	if len(restart) > 0 {
		d.log.Warn("changed options need a restart", "options", restart)
	}
	changes := reloadChanges(before, d.cfg)
	d.log.Info("configuration reloaded", append([]any{"mode", d.cfg.Mode, "config", d.file, "changed", strings.Join(changes, "; ")}, counts(d.cfg)...)...)
	d.tell(reloadOutcome{Said: reloadedText(d.cfg, restart, changes)})
}

// reloadedText tells a person what was taken up, and which changed options were not.
func reloadedText(cfg *config.Config, restart, changes []string) string {
	text := fmt.Sprintf("configuration reloaded (%s", cfg.Mode)
	for pair := range slices.Chunk(counts(cfg), 2) {
		text += fmt.Sprintf(", %v %v", pair[1], pair[0])
	}
	text += ")"
	if len(restart) > 0 {
		text += fmt.Sprintf("; these changed options need a restart: %s", strings.Join(restart, ", "))
	}
	for _, change := range changes {
		text += "\n  " + change
	}
	return text
}

// reconfigure puts a configuration in force.
func (d *daemon) reconfigure(cfg *config.Config, file string) error {
	if err := d.server.SetReplies(milterReplies(cfg)); err != nil {
		return err
	}
	// Once a default file was read, it must not be missing any more.
	d.file, d.cfg = file, cfg
	d.level.Set(logLevel(cfg))
	d.messages.ShowAddresses(cfg.LogAddresses)
	d.filter.SetSettings(d.settings(cfg))
	d.rollout.Use(cfg.Rules)
	d.memory.Judges(cfg)
	d.expiry.reset(cfg.Rules, time.Now())
	return nil
}

// refuse tells that the old configuration stays.
func (d *daemon) refuse(err error) {
	const said = "configuration not reloaded, the old one stays"
	why := firstLines(err.Error())
	d.log.Error(said, "err", why)
	d.telemetry.reloaded(nil, nil, err)
	d.tell(reloadOutcome{Said: said, Error: why})
}

// tell says what became of a reload to who waits for it, and to systemctl status.
func (d *daemon) tell(o reloadOutcome) {
	d.reloads++
	d.host.reloaded(d.cfg, d.file, d.cause, needsRestart(d.begun, d.cfg), o.Error != "")
	d.report(o)
	status, _, _ := strings.Cut(o.Said+": "+o.Error, "\n") // a status is one line
	d.notify("STATUS=" + strings.TrimSuffix(status, ": "))
}

func (d *daemon) report(o reloadOutcome) {
	o.PID, o.Reloads = os.Getpid(), d.reloads
	if err := writeOutcome(o); err != nil {
		d.log.Warn("alignd reload will not hear what becomes of a reload", "err", err)
	}
}

// counts are how many entries the lists have whose loss would be felt.
func counts(cfg *config.Config) []any {
	return []any{"exceptions", len(cfg.Exceptions), "networks", len(cfg.NotJudged.Networks),
		"relays", len(cfg.TrustedRelays), "sealers", len(cfg.TrustedSealers), "profiles", len(cfg.Profiles)}
}
