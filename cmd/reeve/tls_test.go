package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/tools/rig"
)

// selfSigned writes a certificate for 127.0.0.1 and its key into dir.
func selfSigned(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	pool.AddCert(cert)
	return pool
}

func getTLS(t *testing.T, url string, pool *x509.CertPool) (*http.Response, error) {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get(url)
	if err == nil {
		res.Body.Close()
	}
	return res, err
}

// With a certificate only HTTPS is served, by HTTP/2 too, with HSTS; a renewed
// certificate is taken up without a restart, a broken one is not.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	first := selfSigned(t, dir, "first")
	r := &rig.Reeve{Bin: program(t), Data: filepath.Join(shortDir(t), "d"), Definitions: exampleDefinitions(t), Env: map[string]string{
		"LIBRARY_FOLDER": "file://" + dir, "REEVE_TLS_CERTIFICATE": filepath.Join(dir, "cert.pem"), "REEVE_TLS_KEY": filepath.Join(dir, "key.pem")}}
	must(t, r.Start(t.Context()))
	defer r.Stop()
	if !strings.HasPrefix(r.URL, "https://127.0.0.1:") {
		t.Fatal(r.URL)
	}
	res, err := getTLS(t, r.URL+"/healthz", first)
	must(t, err)
	if res.StatusCode != 200 || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Error(res.Status, res.Proto, res.Header)
	}
	res, err = http.Get("http" + strings.TrimPrefix(r.URL, "https") + "/healthz")
	if err == nil {
		res.Body.Close()
		if res.StatusCode == 200 {
			t.Error("served without TLS too")
		}
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(r.URL, "https://"), &tls.Config{RootCAs: first, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is taken")
	}
	second := selfSigned(t, dir, "second")
	later := time.Now().Add(time.Minute)
	must(t, os.Chtimes(filepath.Join(dir, "cert.pem"), later, later))
	if _, err := getTLS(t, r.URL+"/healthz", second); err != nil {
		t.Error("a renewed certificate: ", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "cert.pem"), []byte("half a certif"), 0o644))
	later = later.Add(time.Minute)
	must(t, os.Chtimes(filepath.Join(dir, "cert.pem"), later, later))
	if _, err := getTLS(t, r.URL+"/healthz", second); err != nil {
		t.Error("after a broken renewal: ", err)
	}
}

// What proxies say is believed of trusted ones only; health, readiness and
// figures answer whom they should.
func TestProxiesAndHealth(t *testing.T) {
	get := func(r *rig.Reeve, path string, header ...string) (*http.Response, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL+path, nil)
		must(t, err)
		for _, h := range header {
			k, v, _ := strings.Cut(h, ": ")
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		must(t, err)
		return res, string(b)
	}
	dir, defs := t.TempDir(), exampleDefinitions(t)
	for _, trusted := range []bool{false, true} {
		env := map[string]string{"LIBRARY_FOLDER": "file://" + dir, "REEVE_TRUSTED_PROXIES": "192.0.2.0/24"}
		if trusted {
			env["REEVE_TRUSTED_PROXIES"] = "192.0.2.0/24, 127.0.0.0/8"
		}
		r := serve(t, defs, "", env)
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if res, text := get(r, path); res.StatusCode != 200 {
				t.Error(path, res.Status, text)
			}
		}
		far := "X-Forwarded-For: 203.0.113.9"
		res, _ := get(r, "/metrics", far, "X-Forwarded-Proto: https", "X-Request-Id: from-the-proxy")
		if res.StatusCode != 403 || trusted != (res.Header.Get("X-Request-Id") == "from-the-proxy") || trusted != (res.Header.Get("Strict-Transport-Security") != "") {
			t.Errorf("trusted %v: %s %v", trusted, res.Status, res.Header)
		}
		for header, open := range map[string]bool{ // whether they may where the proxy is trusted
			"X-Forwarded-For: 203.0.113.9, 192.0.2.7": false, "Forwarded: for=203.0.113.9": false, "X-Real-Ip: 203.0.113.9": false,
			"X-Forwarded-For: 192.0.2.7": true,
		} {
			if res, _ := get(r, "/metrics", header); (res.StatusCode == 200) != (trusted && open) {
				t.Errorf("trusted %v, %s: %s", trusted, header, res.Status)
			}
		}
		if log := r.Logs(); strings.Contains(log, "203.0.113.9") {
			t.Error("an address is in the log")
		}
	}
}

// Every metric that is scraped stands in docs/operations.md, and none stands
// there that is not.
func TestMetricsAreDocumented(t *testing.T) {
	b := besiege(t, "")
	b.post("rec-any.v1", b.token, "application/x-ndjson", strings.NewReader("{\"id\":1,\"n\":\"held\"}\n{\"id\":2}\n"))
	var text string
	if err := eventually(func() error { // what is counted is counted a moment after it is done
		_, text = b.get("/metrics", "")
		for _, want := range counted {
			if !strings.Contains(text, want) {
				return fmt.Errorf("lacks %s in %s", want, fmt.Sprint(regexp.MustCompile(`(?m)^reeve_(rec|flow|deliv|work|events).*$`).FindAllString(text, -1)))
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	documented, scraped := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile("`(reeve_[a-z_]+)").FindAllStringSubmatch(string(page), -1) {
		documented[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (reeve_[a-z_]+) `).FindAllStringSubmatch(text, -1) {
		scraped[m[1]] = true
		if !documented[m[1]] {
			t.Errorf("%s is in no documentation", m[1])
		}
	}
	for name := range documented {
		if !scraped[name] {
			t.Errorf("%s is documented and not there", name)
		}
	}
}

// counted are figures after a record was delivered and one was held.
var counted = []string{`reeve_records_held{type="rec-any.v1"} 1`, `reeve_flow_records{flow="flow-any",state="delivered"} 1`, `reeve_flow_lag_records{flow="flow-any"} 0`, `reeve_record_numbers 2`,
	`reeve_records_total{outcome="accepted",type="rec-any.v1"} 1`, `reeve_records_total{outcome="held",type="rec-any.v1"} 1`, `reeve_records_total{outcome="refused",type="rec-any.v1"} 0`,
	`reeve_deliveries_total{flow="flow-any",outcome="delivered"} 1`, `reeve_deliveries_total{flow="flow-any",outcome="unclear"} 0`,
	`reeve_worker_failures_total{worker="delivery"} 0`, `reeve_events_failing{consumer="services/lifeevent"} 0`}

// A port that another program listens on is named, before anything is opened.
func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	data := filepath.Join(shortDir(t), "d")
	for _, args := range [][]string{{"serve", "--definitions", exampleDefinitions(t)}, {"demo"}} {
		args = append(args, "--data", data, "--listen", ln.Addr().String())
		out, err := exec.CommandContext(t.Context(), program(t), args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "another program listens on "+ln.Addr().String()) {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
}
