//go:build !race

package send

const underRace = false
