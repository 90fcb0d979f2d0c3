package app

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/reeve-civic/reeve"
)

// Config is what the program needs from outside. It is one YAML file; every
// setting can be given as an environment variable instead (see [LoadConfig]).
// Secrets are references, `env:NAME` or `file:/path`, never values.
type Config struct {
	Listen      string `yaml:"listen" env:"REEVE_LISTEN" doc:"Address to listen on, host:port. Default 127.0.0.1:8080."`
	BaseURL     string `yaml:"base_url" env:"REEVE_BASE_URL" doc:"How people reach this program, for links in messages. Default http(s)://LISTEN."`
	Data        string `yaml:"data" env:"REEVE_DATA" doc:"Folder for the database, keys and checkpoints. Default ./reeve-data."`
	Database    string `yaml:"database" env:"REEVE_DATABASE" doc:"postgres://… to use PostgreSQL; empty for SQLite in the data folder."`
	Definitions string `yaml:"definitions" env:"REEVE_DEFINITIONS" doc:"Folder of definitions. Default ./definitions."`
	Upstream    struct {
		URL   string `yaml:"url" env:"REEVE_UPSTREAM_URL" doc:"Git repository of the definitions where changes made in a page are proposed as branches. Empty: they are committed in the definitions folder and in force at once."`
		Token string `yaml:"token" env:"REEVE_UPSTREAM_TOKEN" doc:"Reference to a token for an upstream over https."`
	} `yaml:"upstream"`
	Body      string `yaml:"body" env:"REEVE_BODY" doc:"Name of the public body, shown on every page."`
	TimeZone  string `yaml:"time_zone" env:"REEVE_TIME_ZONE" doc:"Time zone in which days begin and end. Default Europe/London."`
	MasterKey string `yaml:"master_key" env:"REEVE_MASTER_KEY" doc:"env:NAME or file:/path of 32 bytes in base64. Default: a file in the data folder, made at first start."`
	LogLevel  string `yaml:"log_level" env:"REEVE_LOG_LEVEL" doc:"debug, info, warn or error. Default info."`

	CheckLinks string `yaml:"check_links" env:"REEVE_CHECK_LINKS" doc:"How often the links of the service catalogue are followed, such as 7d. Empty: only when somebody asks."`

	TLS struct {
		Certificate string `yaml:"certificate" env:"REEVE_TLS_CERTIFICATE" doc:"PEM file; with it, only HTTPS is served."`
		Key         string `yaml:"key" env:"REEVE_TLS_KEY" doc:"PEM file of the private key."`
	} `yaml:"tls"`
	TrustedProxies []string `yaml:"trusted_proxies" env:"REEVE_TRUSTED_PROXIES" doc:"Networks (CIDR) whose X-Forwarded-For and X-Forwarded-Proto are believed."`

	Notify struct {
		URL           string `yaml:"url" env:"REEVE_NOTIFY_URL" doc:"GOV.UK Notify, or what stands in for it."`
		Key           string `yaml:"key" env:"REEVE_NOTIFY_KEY" doc:"Reference to the API key."`
		CallbackToken string `yaml:"callback_token" env:"REEVE_NOTIFY_CALLBACK_TOKEN" doc:"Reference to the bearer token of status call-backs."`
	} `yaml:"notify"`
	SMTP struct {
		Address  string `yaml:"address" env:"REEVE_SMTP_ADDRESS" doc:"host:port of the mail server, used where Notify is not set."`
		From     string `yaml:"from" env:"REEVE_SMTP_FROM" doc:"Sender address."`
		User     string `yaml:"user" env:"REEVE_SMTP_USER" doc:"Name to sign in with; empty for none."`
		Password string `yaml:"password" env:"REEVE_SMTP_PASSWORD" doc:"Reference to the password."`
		Plain    bool   `yaml:"plain" env:"REEVE_SMTP_PLAIN" doc:"Without TLS, for a mail server on this machine only."`
	} `yaml:"smtp"`

	// What only code sets.
	Now    func() time.Time         `yaml:"-"`
	Getenv func(name string) string `yaml:"-"` // where env: references are looked up; os.Getenv when nil
	Log    *slog.Logger             `yaml:"-"`
	Demo   bool                     `yaml:"-"` // pages say that this is a demonstration
	Defs   fs.FS                    `yaml:"-"` // in place of Definitions
	// MapWorker is the command in which maps that people typed are run, away from this
	// process: it calls sandbox.Serve. Empty: in this process.
	MapWorker []string `yaml:"-"`
}

// LoadConfig reads file (none when ""), then lets environment variables win,
// then fills in defaults. An unknown setting is an error with its line.
func LoadConfig(file string, getenv func(string) string) (Config, error) {
	var c Config
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return c, reeve.E(reeve.Invalid, "app.LoadConfig", "the configuration cannot be read: %w", err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
		if err := dec.Decode(&c); err != nil && len(bytes.TrimSpace(b)) > 0 {
			return c, reeve.E(reeve.Invalid, "app.LoadConfig", "%s: %s", file, yaml.FormatError(err, false, true))
		}
	}
	if err := fromEnv(reflect.ValueOf(&c).Elem(), getenv); err != nil {
		return c, err
	}
	c.Getenv = getenv
	return c, c.defaults()
}

// fromEnv sets every field that has an env tag from the environment.
func fromEnv(v reflect.Value, getenv func(string) string) error {
	for i := range v.NumField() {
		f, t := v.Field(i), v.Type().Field(i)
		if f.Kind() == reflect.Struct && t.Tag.Get("yaml") != "-" {
			if err := fromEnv(f, getenv); err != nil {
				return err
			}
		}
		s := getenv(t.Tag.Get("env"))
		if t.Tag.Get("env") == "" || s == "" {
			continue
		}
		switch f.Kind() {
		case reflect.Slice:
			f.Set(reflect.ValueOf(strings.Split(s, ",")))
		case reflect.Bool:
			b, err := strconv.ParseBool(s)
			if err != nil {
				return reeve.E(reeve.Invalid, "app.Config", "%s is %q: write true or false", t.Tag.Get("env"), s)
			}
			f.SetBool(b)
		default:
			f.SetString(s)
		}
	}
	return nil
}

func (c *Config) defaults() error {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&c.Listen, "127.0.0.1:8080")
	def(&c.Data, "reeve-data")
	def(&c.Definitions, "definitions")
	def(&c.Body, "Your council")
	def(&c.TimeZone, "Europe/London")
	def(&c.LogLevel, "info")
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		return reeve.E(reeve.Invalid, "app.Config", "tls: give both certificate and key, or neither")
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return reeve.E(reeve.Invalid, "app.Config", "time_zone: %q is not a zone; use a name such as Europe/London", c.TimeZone)
	}
	if _, err := c.proxies(); err != nil {
		return err
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		var level slog.Level
		if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
			return reeve.E(reeve.Invalid, "app.Config", "log_level: %q is not a level; use debug, info, warn or error", c.LogLevel)
		}
		c.Log = slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	}
	return nil
}

func (c *Config) proxies() (nets []netip.Prefix, err error) {
	for _, s := range c.TrustedProxies {
		p, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil {
			return nil, reeve.E(reeve.Invalid, "app.Config", "trusted_proxies: %q is not a network; write 10.0.0.0/8 or 192.0.2.7/32", s)
		}
		nets = append(nets, p)
	}
	return nets, nil
}

// secret resolves a reference: `env:NAME`, `file:/path`, or "" for none.
func (c *Config) secret(setting, ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch {
	case ref == "":
		return "", nil
	case kind == "env":
		if s := c.Getenv(name); s != "" {
			return s, nil
		}
		return "", reeve.E(reeve.Invalid, "app.Config", "%s: the environment variable %s is empty", setting, name)
	case kind == "file":
		b, err := os.ReadFile(name)
		if err != nil {
			return "", reeve.E(reeve.Invalid, "app.Config", "%s: %w", setting, err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	return "", reeve.E(reeve.Invalid, "app.Config", "%s: a secret is a reference, env:NAME or file:/path, never the value itself", setting)
}

// master returns the 32 bytes that every stored key is wrapped with, and whether
// they were made just now.
func (c *Config) master() (key []byte, made bool, err error) {
	if c.MasterKey != "" {
		s, err := c.secret("master_key", c.MasterKey)
		if err != nil {
			return nil, false, err
		}
		key, err = decodeMaster("master_key", s)
		return key, false, err
	}
	b, err := os.ReadFile(c.masterFile())
	if err == nil {
		key, err = decodeMaster(c.masterFile(), strings.TrimSpace(string(b)))
		return key, false, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("reading the master key: %w", err)
	}
	if has, err := c.hasDatabase(); err != nil || has && c.Database == "" {
		return nil, false, errors.Join(err, c.keyMissing())
	}
	key = make([]byte, 32)
	rand.Read(key)
	return key, true, writeDurably(c.masterFile(), []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600)
}

func (c *Config) masterFile() string { return filepath.Join(c.Data, "master.key") }

func (c *Config) keyMissing() error {
	return reeve.E(reeve.Invalid, "app.Config", "%s is missing but there is a database: put the key back, or say where it is with master_key; a new key could not read what is stored", c.masterFile())
}

func decodeMaster(where, s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(key) != 32 {
		return nil, reeve.E(reeve.Invalid, "app.Config", "%s: a master key is 32 bytes in base64; make one with `openssl rand -base64 32`", where)
	}
	return key, nil
}

func (c *Config) hasDatabase() (bool, error) {
	_, err := os.Stat(c.databaseFile())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (c *Config) databaseFile() string { return filepath.Join(c.Data, "reeve.db") }

// writeDurably writes a file so that after a power cut it is there whole or not at all.
func writeDurably(file string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(file+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
