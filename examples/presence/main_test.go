package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// entry is an entry of a bucket.
type entry struct {
	jetstream.KeyValueEntry
	key, value string
	operation  jetstream.KeyValueOp
}

func (e entry) Key() string                     { return e.key }
func (e entry) Value() []byte                   { return []byte(e.value) }
func (e entry) Operation() jetstream.KeyValueOp { return e.operation }
func put(key, value string) entry               { return entry{key: key, value: value} }
func remove(key string) entry                   { return entry{key: key, operation: jetstream.KeyValueDelete} }
func shown(v *view, now time.Time) (lines string) {
	return capture(func(out *bytes.Buffer) { v.show(out, now) })
}

func capture(write func(out *bytes.Buffer)) string {
	var out bytes.Buffer
	write(&out)
	return out.String()
}

const (
	living   = `{"id":"g1","epoch":"E1","since":1}`
	kitchen  = `{"term":1,"gateway":"g1","epoch":"E1","session":"s1","since":1760000000000,"remote":"10.0.0.7","state":"active"}`
	appeared = "+ aa:bb                g1                   2025-10-09T08:53:20Z 10.0.0.7\n"
)

func TestADeviceIsOnlineWhileTheLeaseOfItsGatewayLives(t *testing.T) {
	now := time.Now()
	v := newView()
	v.setPresence(put("aa=bb", kitchen))
	expect(t, shown(v, now), "")
	v.setLease(put("g1", living), now)
	expect(t, shown(v, now), appeared)
	expect(t, shown(v, now), "")
	// The entry expires without a word.
	expect(t, shown(v, now.Add(leaseTime)), "- aa:bb\n")
	v.setLease(put("g1", living), now.Add(leaseTime))
	expect(t, shown(v, now.Add(leaseTime)), appeared)
	v.setLease(put("g1", strings.Replace(living, "E1", "E2", 1)), now.Add(leaseTime))
	expect(t, shown(v, now.Add(leaseTime)), "- aa:bb\n")
}

func TestADeviceGoesWithItsEntryAndANewSessionIsShown(t *testing.T) {
	now := time.Now()
	v := newView()
	v.setLease(put("g1", living), now)
	v.setPresence(put("aa=bb", kitchen))
	expect(t, shown(v, now), appeared)
	v.setPresence(put("aa=bb", strings.Replace(kitchen, `"s1"`, `"s2"`, 1)))
	expect(t, shown(v, now), appeared)
	v.setPresence(remove("aa=bb"))
	expect(t, shown(v, now), "- aa:bb\n")
}

func TestValuesThatDoNotDecodeCountAsAbsent(t *testing.T) {
	now := time.Now()
	v := newView()
	v.setLease(put("g1", living), now)
	v.setPresence(put("=canary-g1", `{"epoch":"E1"}`))
	for _, value := range []string{"", "no JSON", "[]", `{"gateway":7}`, "{}", "null"} {
		v.setPresence(put("aa=bb", value))
		expect(t, shown(v, now), "")
	}
	v.setPresence(put("aa=bb", kitchen))
	expect(t, shown(v, now), appeared)
	v.setLease(put("g1", "{"), now)
	expect(t, shown(v, now), "- aa:bb\n")
}

func TestItListsWhatTheBucketsHold(t *testing.T) {
	nc := startNATS(t)
	stream, err := jetstream.New(nc)
	must(t, err)
	var out bytes.Buffer
	if err := watch(t.Context(), nc, "voxbus", true, &out); err == nil || !strings.Contains(err.Error(), "voxbus_gateways") {
		t.Fatalf("got the error %v for a missing bucket", err)
	}
	for bucket, value := range map[string][2]string{"gateways": {"g1", living}, "presence": {"aa=bb", kitchen}} {
		kv, err := stream.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "voxbus_" + bucket})
		must(t, err)
		_, err = kv.PutString(t.Context(), value[0], value[1])
		must(t, err)
	}
	must(t, watch(t.Context(), nc, "voxbus", true, &out))
	expect(t, out.String(), appeared)
}

func expect(t *testing.T, got, wanted string) {
	t.Helper()
	if got != wanted {
		t.Errorf("got %q, wanted %q", got, wanted)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startNATS starts a nats-server, and connects to it.
func startNATS(t *testing.T) *nats.Conn {
	binary := os.Getenv("VOXBUS_NATS_SERVER")
	if binary == "" {
		binary = "nats-server"
	}
	server := exec.Command(binary, "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", t.TempDir())
	output, err := server.StderrPipe()
	must(t, err)
	must(t, server.Start())
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	address := ""
	for lines := bufio.NewScanner(output); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if strings.Contains(lines.Text(), "Listening for client connections on") {
			address = words[len(words)-1]
		}
		if strings.Contains(lines.Text(), "Server is ready") {
			break
		}
	}
	nc, err := nats.Connect("nats://" + address)
	must(t, err)
	t.Cleanup(nc.Close)
	return nc
}
