//go:build objects

// Package objects reads and writes objects of a store that speaks S3, as files of a
// folder: those whose keys begin with the same prefix. It is in programs that were built
// with the tag objects only, since the library for it is large.
//
// What is guaranteed, beside what package files says. An object that is moved or
// deleted is the one that was read, where the store knows conditional requests (If-Match).
//
// What not to assume. A store that ignores If-Match may lose an object that is put under
// a name in the moment in which the last one of that name is taken away.
package objects

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithy "github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/dial"
	"github.com/reeve-civic/reeve/connector/files"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// Settings is what an Interface says about its objects.
type Settings struct {
	files.Settings
	Endpoint string `json:"endpoint,omitempty" doc:"Where the store is, if it is not Amazon's: https://store.example."`
	Region   string `json:"region,omitempty" doc:"Of the bucket. Default us-east-1."`
}

// Connector describes it.
var Connector = connector.Connector{
	Name: "s3", Schemes: []string{"s3"}, Once: true, Settings: new(Settings),
	Doc: "Objects of a store that speaks S3, read and written: s3://bucket/folder. auth needs user, the id of the access key, and password, the key.",
	Promise: connector.Promise{
		Order:  "Objects are read by their date, oldest first, and written one after the other. The records of an object keep their order.",
		Repeat: "An object is known by its name and a hash of its contents, and its rows are taken once. Name and contents of one that is written are fixed before the first attempt: writing again makes the same object, and none is written over.",
		Ack:    "An object is moved or deleted when all its rows are kept here. A record counts as delivered when the store has said that it has its object.",
	},
	Check: func(c connector.Config, problem func(path, message string)) {
		s := c.Settings.(*Settings)
		s.Check(problem)
		if s.Endpoint != "" && endpoint(s.Endpoint) == nil {
			problem("endpoint", "it looks like https://store.example, without a path")
		}
		if c.Auth.User == "" || c.Auth.Password == "" {
			problem("", "s3 needs auth.user, the id of the access key, and auth.password, the key")
		}
	},
	Source: func(c connector.Config) (connector.Source, error) {
		b, err := open(c)
		if err != nil {
			return nil, err
		}
		s := c.Settings.(*Settings).Settings
		s.Settle = cmp.Or(s.Settle, 1) // an object appears as a whole
		return files.NewSource(b, c, s, b.Close), nil
	},
	Sink: func(c connector.Config) (connector.Sink, error) {
		b, err := open(c)
		if err != nil {
			return nil, err
		}
		return files.NewSink(b, c)
	},
}

func endpoint(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil
	}
	return u
}

// bucket is a part of a bucket.
type bucket struct {
	c       connector.Config
	name    string
	prefix  string // ends with a stroke, or is ""
	timeout time.Duration
	web     *http.Transport
	api     *s3.Client
}

func open(c connector.Config) (*bucket, error) {
	u, err := url.Parse(c.Address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("the address cannot be read: it looks like s3://bucket/folder")
	}
	s := c.Settings.(*Settings)
	b := &bucket{c: c, name: u.Hostname(), prefix: strings.Trim(u.Path, "/"), timeout: cmp.Or(c.Timeout, 30*time.Second)}
	if b.prefix != "" {
		b.prefix += "/"
	}
	d := &dial.Dialer{Address: c.Host.Address, Timeout: b.timeout}
	at := endpoint(s.Endpoint)
	if at != nil {
		port := cmp.Or(at.Port(), map[string]string{"http": "80", "https": "443"}[at.Scheme])
		d.Declared = []string{net.JoinHostPort(at.Hostname(), port)}
	}
	b.web = &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: b.timeout, ResponseHeaderTimeout: b.timeout, MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
	b.api = s3.New(s3.Options{
		Region: cmp.Or(s.Region, "us-east-1"), Retryer: aws.NopRetryer{}, Credentials: aws.CredentialsProviderFunc(b.sign),
		HTTPClient:                 &http.Client{Transport: b.web, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, func(o *s3.Options) {
		if at != nil {
			o.BaseEndpoint, o.UsePathStyle = aws.String(at.Scheme+"://"+at.Host), true
		}
	})
	return b, nil
}

// sign looks the key up, anew at each use.
func (b *bucket) sign(ctx context.Context) (aws.Credentials, error) {
	user := b.c.Auth.User
	if ref := connector.Ref(user); strings.HasPrefix(user, "env:") && ref.Valid() {
		v, err := b.c.Host.Secret(ref)
		if err != nil {
			return aws.Credentials{}, err
		}
		user = v
	}
	key, err := b.c.Host.Secret(b.c.Auth.Password)
	if err != nil {
		return aws.Credentials{}, err
	}
	return credentials.NewStaticCredentialsProvider(user, key, "").Retrieve(ctx)
}

// Close ends connections that wait for more.
func (b *bucket) Close() error {
	b.web.CloseIdleConnections()
	return nil
}

func (b *bucket) key(name string) *string { return aws.String(b.prefix + name) }

// status is that of an answer, 0 where there was none.
func status(err error) int {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) {
		return re.HTTPStatusCode()
	}
	return 0
}

// said puts what went wrong in words of ours.
func said(err error) string {
	var api smithy.APIError
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	switch st := status(err); {
	case code == "NoSuchBucket":
		return "there is no such bucket"
	case st == http.StatusForbidden || st == http.StatusUnauthorized || st == http.StatusBadRequest && strings.Contains(code, "Key"):
		return "the store does not allow it: see auth.user and auth.password, and what they may do"
	case st == http.StatusServiceUnavailable || st == http.StatusTooManyRequests:
		return "the store asks to be left alone for a while"
	case st >= 300 && st < 400:
		return "the bucket is elsewhere: see region and endpoint"
	case st != 0:
		return fmt.Sprintf("the store answered %d", st)
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		err = op.Unwrap()
	}
	var send *smithyhttp.RequestSendError
	if errors.As(err, &send) {
		err = send.Err
	}
	return "the store: " + plain.Reason(err)
}

func (b *bucket) failed(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, files.ErrChanged), errors.Is(err, fs.ErrNotExist):
		return err
	}
	return errors.New(said(err))
}

// pages is how many thousand objects a listing may have.
const pages = 50

// List implements [files.Inbox].
func (b *bucket) List(ctx context.Context) (list []files.Entry, err error) {
	in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &b.prefix, Delimiter: aws.String("/")}
	for range pages {
		out, err := b.api.ListObjectsV2(ctx, in)
		if err != nil {
			return nil, b.failed(ctx, err)
		}
		for _, o := range out.Contents {
			name := strings.TrimPrefix(aws.ToString(o.Key), b.prefix)
			if name != "" { // a folder that a person made
				list = append(list, entry(name, aws.ToInt64(o.Size), o.ETag, o.LastModified))
			}
		}
		if !aws.ToBool(out.IsTruncated) || aws.ToString(out.NextContinuationToken) == "" {
			return list, nil
		}
		in.ContinuationToken = out.NextContinuationToken
	}
	return nil, fmt.Errorf("there are more than %d,000 objects at this address: move away what was read", pages)
}

func entry(name string, size int64, tag *string, date *time.Time) files.Entry {
	d := aws.ToTime(date)
	return files.Entry{Name: name, Size: size, Mark: aws.ToString(tag), When: d.UnixNano(), Day: d.UTC().Format("20060102"), Special: size < 0}
}

// Fetch implements [files.Inbox].
func (b *bucket) Fetch(ctx context.Context, e files.Entry, w io.Writer) error {
	ctx2, touch, stop := b.patient(ctx)
	defer stop()
	out, err := b.api.GetObject(ctx2, &s3.GetObjectInput{Bucket: &b.name, Key: b.key(e.Name), IfMatch: &e.Mark})
	switch st := status(err); {
	case st == http.StatusNotFound || st == http.StatusPreconditionFailed:
		return files.ErrChanged
	case st == http.StatusForbidden:
		return &files.Fault{Name: e.Name, Why: "cannot be read: " + said(err)}
	case err != nil:
		return b.failed(ctx, err)
	}
	_, err = io.Copy(touching{w, touch}, out.Body)
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return b.failed(ctx, err)
	}
	return nil
}

// patient is a context that ends when nothing comes for too long.
func (b *bucket) patient(ctx context.Context) (_ context.Context, touch func(), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	t := time.AfterFunc(b.timeout, cancel)
	return ctx, func() { t.Reset(b.timeout) }, func() { t.Stop(); cancel() }
}

type touching struct {
	w     io.Writer
	touch func()
}

func (t touching) Write(b []byte) (int, error) {
	t.touch()
	return t.w.Write(b)
}

// Stat implements [files.Inbox].
func (b *bucket) Stat(ctx context.Context, name string) (files.Entry, error) {
	out, err := b.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: b.key(name)})
	if status(err) == http.StatusNotFound {
		return files.Entry{}, fs.ErrNotExist
	}
	if err != nil {
		return files.Entry{}, b.failed(ctx, err)
	}
	return entry(name, aws.ToInt64(out.ContentLength), out.ETag, out.LastModified), nil
}

// Rename implements [files.Inbox]: a copy, and then the original goes, if it is still
// what was copied.
func (b *bucket) Rename(ctx context.Context, from, to string) error {
	e, err := b.Stat(ctx, from)
	if err != nil {
		return err
	}
	_, err = b.api.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &b.name, Key: b.key(to), CopySourceIfMatch: &e.Mark,
		CopySource: aws.String((&url.URL{Path: b.name + "/" + b.prefix + from}).EscapedPath())})
	if err != nil {
		return b.failed(ctx, err)
	}
	return b.remove(ctx, from, &e.Mark)
}

// Remove implements [files.Inbox].
func (b *bucket) Remove(ctx context.Context, name string) error { return b.remove(ctx, name, nil) }

func (b *bucket) remove(ctx context.Context, name string, tag *string) error {
	in := &s3.DeleteObjectInput{Bucket: &b.name, Key: b.key(name), IfMatch: tag}
	_, err := b.api.DeleteObject(ctx, in)
	switch st := status(err); {
	case st == http.StatusNotFound || st == http.StatusPreconditionFailed: // another one by now, which is read as such
		return nil
	case st == http.StatusNotImplemented && tag != nil:
		if now, serr := b.Stat(ctx, name); serr != nil || now.Mark != *tag {
			return nil
		}
		in.IfMatch = nil
		_, err = b.api.DeleteObject(ctx, in)
	}
	if err != nil {
		return b.failed(ctx, err)
	}
	return nil
}

// Look implements [files.Outbox].
func (b *bucket) Look(ctx context.Context, name string, content []byte) (files.State, error) {
	e, err := b.Stat(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return files.Absent, nil
	case err != nil:
		return files.Absent, err
	case e.Size != int64(len(content)):
		return files.Other, nil
	}
	there := bytes.NewBuffer(make([]byte, 0, len(content)))
	if err := b.Fetch(ctx, e, there); err != nil {
		return files.Absent, err
	}
	if !bytes.Equal(there.Bytes(), content) {
		return files.Other, nil
	}
	return files.Same, nil
}

// Put implements [files.Outbox].
func (b *bucket) Put(ctx context.Context, name string, content []byte) error {
	in := &s3.PutObjectInput{Bucket: &b.name, Key: b.key(name), IfNoneMatch: aws.String("*"), ContentLength: aws.Int64(int64(len(content))), Body: bytes.NewReader(content)}
	_, err := b.api.PutObject(ctx, in)
	if status(err) == http.StatusNotImplemented { // it was not there a moment ago
		in.IfNoneMatch, in.Body = nil, bytes.NewReader(content)
		_, err = b.api.PutObject(ctx, in)
	}
	var oe *net.OpError
	switch st := status(err); {
	case err == nil:
		return nil
	case st == http.StatusPreconditionFailed || st == http.StatusConflict:
		return errors.New("something of that name is there, or is being written")
	case st == http.StatusServiceUnavailable, st >= 300 && st < 500, errors.As(err, &oe) && oe.Op == "dial":
		return errors.New(said(err))
	}
	return fmt.Errorf("%w: %s", files.ErrUnclear, said(err))
}
