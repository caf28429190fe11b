package dkim

import "math/bits"

// maxWork is how much RSA arithmetic the signatures of one message may take, and
// once more its ARC chain. Unit: products of two numbers of 2048 bits, of which a
// signature by a key of 2048 bits with the exponent 65537 takes 17, one of 4096
// bits four times as many. Half as much again goes into setting the key up, which
// is bounded by the number of signatures. Ours: enough for a chain of 50 sets by
// keys of 2048 bits, and for ten signatures whatever their keys. What exceeds it
// is policy.
const maxWork = 2500

// Work is the arithmetic of several checks together. The zero value has done
// nothing. A nil one has no bound.
type Work struct{ done int }

// take reports whether there is room for one signature by a key, and takes it. A
// key of another kind takes little and always has room.
func (w *Work) take(k *key) bool {
	if w == nil || k.public == nil {
		return true
	}
	e := uint(k.public.E)
	products := bits.Len(e) - 1 + bits.OnesCount(e) - 1 // squares, and products with the signature
	products = max(1, products*k.bits/2048*k.bits/2048)
	if w.done+products > maxWork {
		return false
	}
	w.done += products
	return true
}
