package jetstream

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The names of shard 0, the only one so far, in an engine of our own; see naming.
const (
	streamName  = "WARMFRONT_0"
	logSubject  = "warmfront.log.0"
	pushSubject = "warmfront.push.0" // RePublish: the live pushes
	ackPrefix   = "warmfront.ack.0." // these and the edge's name
	probePrefix = "warmfront.probe.0."
	readPrefix  = "warmfront.read.0."
	partPrefix  = "warmfront.part.0." // joining and leaving
	askPrefix   = "warmfront.ask."    // what the control plane asks of an edge
	wantPrefix  = "warmfront.want."   // what an edge asks of the control plane
	relayPrefix = "warmfront.relay."  // what a relay asks
	application = "warmfront.apply"   // of who is no edge yet
	entering    = "warmfront.enter"   // of who is no control node yet
	directGet   = directGets + streamName
)

const directGets = "$JS.API.DIRECT.GET."

// naming is what the stream is called, and its subjects: an external NATS has others' too.
type naming struct{ stream, log, push, ack, kept string }

func (c Config) names() naming {
	if c.External != nil {
		return c.External.names()
	}
	return naming{streamName, logSubject, pushSubject, ackPrefix, keptSubject}
}

// stream is streamConfig by these names.
func (c Config) stream(replicas int, first uint64) jetstream.StreamConfig {
	s, n := streamConfig(replicas, first), c.names()
	s.Name, s.Subjects, s.RePublish = n.stream, []string{n.log}, &jetstream.RePublish{Source: n.log, Destination: n.push}
	if c.External != nil {
		s.Compression = jetstream.NoCompression // it may be given more replicas one day
	}
	return s
}

// streamConfig is the stream, with the defaults that the engine fills in written out: what it runs with
// must be equal to this.
//
// There is no MaxAge: entries may only be forgotten when what still counts of them is kept, as Compact does, which is
// what bounds the log. Nothing else may make a hole: no deletes, no purge but that one, which no edge may ask for, no per-message TTL, no rollup, no
// limit. Should a limit ever be set, a full log refuses instead of forgetting.
func streamConfig(replicas int, first uint64) jetstream.StreamConfig {
	// With compression, replicas that the engine had rebuilt after a crash could not be read after the next start, or refused every
	// write: "error reading compression reader". TestLog_OfThree finds it.
	compression := jetstream.NoCompression
	if replicas == 1 {
		compression = jetstream.S2Compression
	}
	if first == 1 {
		first = 0 // the engine's word for it
	}
	return jetstream.StreamConfig{
		Name:        streamName,
		Subjects:    []string{logSubject},
		Storage:     jetstream.FileStorage,
		Replicas:    replicas,
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		DenyDelete:  true,
		AllowDirect: true,
		Compression: compression,
		RePublish:   &jetstream.RePublish{Source: logSubject, Destination: pushSubject},

		FirstSeq: first,

		MaxConsumers:      -1,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        maxPayload,
		Duplicates:        2 * time.Minute, // the engine's least; unused, since no entry has a message id
	}
}

// differences names the fields in which the engine's config is not ours.
func differences(want, got jetstream.StreamConfig) string {
	got.Metadata = nil           // the engine's remarks about itself
	got.FirstSeq = want.FirstSeq // where it begins is not its shape
	if got.DenyPurge {
		want.DenyPurge = true // as earlier versions have made it
	}
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	var diff []string
	for i := range w.NumField() {
		a, b := w.Field(i).Interface(), g.Field(i).Interface()
		if !reflect.DeepEqual(a, b) {
			diff = append(diff, fmt.Sprintf("%s is %v, not %v", w.Type().Field(i).Name, b, a))
		}
	}
	return strings.Join(diff, ", ")
}
