package send

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Sendmail hands mail to a program that is called as sendmail(1) is.
type Sendmail struct{ Path string }

// Statuses of sendmail(1), from sysexits.h: those that are about the mail or its address. All
// others are about the program and this host, and later may be better.
const (
	exDataErr = 65
	exNoUser  = 67
	exNoHost  = 68
)

// outputTime is how long what a program leaves behind may keep its output open; ours.
const outputTime = time.Second

// Send implements Transport.
func (s *Sendmail) Send(ctx context.Context, from, to string, mail []byte) error {
	ctx, cancel := context.WithTimeout(ctx, finalTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Path, "-i", "-f", from, "--", to)
	cmd.Stdin = bytes.NewReader(bytes.ReplaceAll(mail, []byte("\r\n"), []byte("\n")))
	var out firstWords
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, outputTime
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.Success(): // whoever has its output still
		return nil
	case errors.As(err, &exit) && exit.Exited():
		status := exit.ExitCode()
		return &Refusal{Temporary: status != exDataErr && status != exNoUser && status != exNoHost, NoMailbox: status == exNoUser, Text: strings.TrimSpace(fmt.Sprintf("%s: %v %s", s.Path, err, out))}
	case exit != nil: // killed: it may have taken the mail
		return fmt.Errorf("%w: %s: %w", ErrLost, s.Path, err)
	}
	return err
}

// firstWords keeps the first 200 octets of what a program says.
type firstWords []byte

// Write implements io.Writer.
func (w *firstWords) Write(p []byte) (int, error) {
	*w = append(*w, p[:min(len(p), 200-len(*w))]...)
	return len(p), nil
}
