package connectortest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// FreeAddress is a host:port of this machine that nobody listens on. It is below those
// that a system hands out to whoever asks for any, so that nobody else gets it either,
// before the test's own server does or while the test wants nobody there.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(11_000+rand.IntN(20_000)))
		if l, err := net.Listen("tcp", address); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}
