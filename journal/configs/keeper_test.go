package configs

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"alignd/config"
)

// keptTexts fails for a time.
type keptTexts struct {
	mu    sync.Mutex
	fails int
	texts map[[32]byte]string
}

func (k *keptTexts) KeepConfig(_ context.Context, hash [32]byte, text []byte, _ time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails--; k.fails >= 0 {
		return errors.New("away")
	}
	k.texts[hash] = string(text)
	return nil
}

// Each configuration that judged is kept, also those that were in force while the store
// was away, and its text is what its hash says.
func TestConfigurationsThatJudgeAreKept(t *testing.T) {
	for _, fails := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			to := &keptTexts{fails: fails, texts: map[[32]byte]string{}}
			k := NewKeeper(to, slog.New(slog.DiscardHandler))
			var want [][32]byte
			for _, text := range []string{"", "mode: monitor\n", "mode: monitor\n", "strip: all\nsampling_secret: 0123456789abcdef0123456789abcdef\n"} {
				cfg, err := config.Parse([]byte(text), "test.yaml", time.Now())
				if err != nil {
					t.Fatal(err)
				}
				k.Keep(cfg)
				want = append(want, cfg.Hash())
			}
			time.Sleep(time.Minute)
			k.Close()
			if len(to.texts) != 3 {
				t.Errorf("%d are kept", len(to.texts))
			}
			for _, hash := range want {
				text := to.texts[hash]
				cfg, err := config.FromText([]byte(text))
				if sha256.Sum256([]byte(text)) != hash || err != nil || cfg.Hash() != hash {
					t.Errorf("%x: %q, %v", hash[:4], text, err)
				}
			}
		})
	}
}
