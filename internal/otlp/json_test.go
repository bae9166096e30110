package otlp

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	rehearse "github.com/rehearse-dev/rehearse"
)

const fullTracesJSON = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},{"key":"host.cpus","value":{"intValue":"4"}}],` +
	`"droppedAttributesCount":1,"entityRefs":[{"type":"host","idKeys":["a","b"]}]},` +
	`"scopeSpans":[{"scope":{"name":"my/scope","version":"1.2","attributes":[{"key":"s","value":{"stringValue":"t"}}],"droppedAttributesCount":2},` +
	`"spans":[{"traceId":"30313233343536373839616263646566","spanId":"7370616e7370616e","traceState":"vendor=1","parentSpanId":"706172656e746964","name":"GET /","kind":3,` +
	`"startTimeUnixNano":"1000000000","endTimeUnixNano":"1250000000","attributes":[{"key":"text","value":{"stringValue":"é"}},{"key":"yes","value":{"boolValue":true}},` +
	`{"key":"no","value":{"boolValue":false}},{"key":"minus","value":{"intValue":"-1"}},{"key":"half","value":{"doubleValue":0.5}},` +
	`{"key":"list","value":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"7"},{}]}}},{"key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}}]}}},` +
	`{"key":"raw","value":{"bytesValue":"AP8="}},{"key":"empty","value":{}}],"droppedAttributesCount":3,` +
	`"events":[{"timeUnixNano":"1100000000","name":"retry","attributes":[{"key":"n","value":{"intValue":"2"}}],"droppedAttributesCount":1}],"droppedEventsCount":4,` +
	`"links":[{"traceId":"66656463626139383736353433323130","spanId":"6c696e6b7370616e","traceState":"x=y","attributes":[{"key":"why","value":{"stringValue":"batch"}}],"droppedAttributesCount":1,"flags":1}],` +
	`"droppedLinksCount":5,"status":{"message":"it broke","code":2},"flags":257}],"schemaUrl":"https://schema/2"}],"schemaUrl":"https://schema/1"}]}`

const fullMetricsJSON = `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeMetrics":[{"scope":{"name":"meter"},"metrics":[` +
	`{"name":"temperature","description":"how warm","unit":"Cel","gauge":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","asDouble":21.5,"exemplars":[{"timeUnixNano":"5","asDouble":0.25,` +
	`"spanId":"7370616e7370616e","traceId":"30313233343536373839616263646566","filteredAttributes":[{"key":"k","value":{"stringValue":"v"}}]}],"attributes":[{"key":"room","value":{"stringValue":"a"}}],"flags":1},{"asInt":"-1"}]},` +
	`"metadata":[{"key":"m","value":{"stringValue":"d"}}]},` +
	`{"name":"requests","unit":"1","sum":{"dataPoints":[{"asInt":"12"}],"aggregationTemporality":2,"isMonotonic":true}},` +
	`{"name":"latency","histogram":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","count":"3","sum":"Infinity","bucketCounts":["1","2","9"],"explicitBounds":[0.5],` +
	`"exemplars":[{"timeUnixNano":"5","asInt":"7"}],"attributes":[{"key":"k","value":{"stringValue":"v"}}],"flags":1,"min":-1,"max":1e+300}],"aggregationTemporality":1}},` +
	`{"name":"exp","exponentialHistogram":{"dataPoints":[{"attributes":[{"key":"k","value":{"stringValue":"v"}}],"startTimeUnixNano":"1","timeUnixNano":"2","count":"3","sum":6,"scale":-2,"zeroCount":"1",` +
	`"positive":{"offset":-3,"bucketCounts":["1","300"]},"negative":{"offset":2,"bucketCounts":["3"]},"flags":1,"exemplars":[{"asDouble":1}],"min":0,"max":9,"zeroThreshold":0.001}],"aggregationTemporality":2}},` +
	`{"name":"sum","summary":{"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"2","count":"3","sum":6,"quantileValues":[{"quantile":0.99,"value":4}],"attributes":[{"key":"k","value":{"stringValue":"v"}}],"flags":1},{},{}]}},` +
	`{"name":"nothing"}]}],"schemaUrl":"https://schema/1"}]}`

func TestToJSON(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal Signal
		in     string
		want   string
	}{
		{"traces", SignalTraces, fullTraces, fullTracesJSON},
		{"metrics", SignalMetrics, fullMetrics, fullMetricsJSON},
		{
			"log", SignalLogs, request(pbytes(2, pbytes(2, pfixed64(1, 1<<63), pvarint(2, 17), pbytes(3, "ER\"\x01\xff"), pbytes(5, pbytes(1, "<no>")), pbytes(12, "full")))),
			`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"9223372036854775808","severityNumber":17,"severityText":"ER\"\u0001�","body":{"stringValue":"<no>"},"eventName":"full"}]}]}]}`,
		},
		{"nothing", SignalTraces, "", "{}"},
		{
			"the last of a choice", SignalLogs, request(pbytes(2, pbytes(2, pbytes(5, pvarint(3, 1), pbytes(1, "later"), pdouble(4, 0))))),
			`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"doubleValue":0}}]}]}]}`,
		},
		{
			"the last that comes twice", SignalTraces, request(pbytes(2, pbytes(2, pbytes(5, "first"), pbytes(5, "second")))),
			`{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"second"}]}]}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ToJSON([]byte(c.in), c.signal)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(got), c.want); diff != "" {
				t.Error("got -, want +:\n", diff)
			}
			back, err := FromJSON(got, c.signal)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ToJSON(back, c.signal)
			if diff := cmp.Diff(string(again), string(got)); diff != "" || err != nil {
				t.Error("there and back, got -, want +:\n", diff, err)
			}
		})
	}
	if _, err := ToJSON([]byte("\x0a"), SignalTraces); err == nil {
		t.Error("malformed bytes became JSON")
	}
}

func TestFromJSON(t *testing.T) {
	b, err := FromJSON([]byte(fullTracesJSON), SignalTraces)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeTraces(t, b)
	if diff := cmp.Diff(got, []rehearse.Span{fullDecoded()}); diff != "" || err != nil {
		t.Error("got -, want +:\n", diff, err)
	}
	// What is written otherwise, and what is not known.
	const other = ` { "unknown" : [ {"a": [1, "]}", null, true]} , -1.5e3 ], "resourceSpans" : [ { "resource":null, "scopeSpans": [ { "scope": {}, "spans": [
		{"traceId":"30313233343536373839616263646566","spanId":"7370616E7370616E", "parentSpanId":"", "kind":"SPAN_KIND_SERVER","startTimeUnixNano":1000000000,"endTimeUnixNano":1.25e9,
		"name":"a\u00e9\ud83d\ude00\"","droppedLinksCount":"2", "events":[], "links":null, "status":{"code":"STATUS_CODE_ERROR"},"flags":null,
		"attributes":[{"key":"b","value":{"bytesValue":"-_8"}},{"key":"i","value":{"intValue":-3}},{"key":"d","value":{"doubleValue":"-Infinity"}},{"key":"e","value":{"doubleValue":"1.5"}},
			{"key":"n","value":null},{"key":"l","value":{"arrayValue":{"values":[null,{"intValue":"9223372036854775807"}]}}}]} ] } ] } ] } `
	if b, err = FromJSON([]byte(other), SignalTraces); err != nil {
		t.Fatal(err)
	}
	const want = `{"resourceSpans":[{"scopeSpans":[{"scope":{},"spans":[{"traceId":"30313233343536373839616263646566","spanId":"7370616e7370616e","parentSpanId":"",` +
		`"name":"aé😀\"","kind":2,"startTimeUnixNano":"1000000000","endTimeUnixNano":"1250000000","attributes":[{"key":"b","value":{"bytesValue":"+/8="}},{"key":"i","value":{"intValue":"-3"}},` +
		`{"key":"d","value":{"doubleValue":"-Infinity"}},{"key":"e","value":{"doubleValue":1.5}},{"key":"n"},{"key":"l","value":{"arrayValue":{"values":[{},{"intValue":"9223372036854775807"}]}}}],` +
		`"droppedLinksCount":2,"status":{"code":2}}]}]}]}`
	back, err := ToJSON(b, SignalTraces)
	if diff := cmp.Diff(string(back), want); diff != "" || err != nil {
		t.Error("got -, want +:\n", diff, err)
	}
}

func TestFromJSONMalformed(t *testing.T) {
	span := func(fields string) string { return `{"resourceSpans":[{"scopeSpans":[{"spans":[{` + fields + `}]}]}]}` }
	value := strings.Repeat(`{"arrayValue":{"values":[`, MaxDepth) + `{}` + strings.Repeat(`]}}`, MaxDepth)
	for _, c := range []struct{ in, want string }{
		{``, "malformed JSON at byte 0: unexpected end of JSON input"},
		{`{"resourceSpans":[}`, "malformed JSON at byte 19: invalid character '}' looking for beginning of value"},
		{`[]`, "malformed TracesData at byte 0: { is due"},
		{`null`, "malformed TracesData at byte 0: { is due"},
		{`{"resourceSpans":{}}`, "malformed TracesData.resourceSpans at byte 17: [ is due"},
		{`{"resourceSpans":[1]}`, "malformed ResourceSpans at byte 18: { is due"},
		{span(`"traceId":"MDEyMzQ1Njc4OWFiY2RlZg=="`), `malformed Span.traceId at byte 54: "MDEyMzQ1Njc4OWFiY2RlZg==": 32 hexadecimal digits are due`},
		{span(`"spanId":"0011"`), `malformed Span.spanId at byte 53: "0011": 16 hexadecimal digits are due`},
		{span(`"name":5`), "malformed Span.name at byte 51: a string is due"},
		{span(`"name":{}`), "malformed Span.name at byte 51: has a value of the wrong type"},
		{span(`"kind":"SERVER"`), `"SERVER": is neither a number nor a name of the enum`},
		{span(`"kind":true`), "Span.kind at byte 51: has a value of the wrong type"},
		{span(`"startTimeUnixNano":-1`), `"-1": is no unsigned integer of 64 bits`},
		{span(`"startTimeUnixNano":"1e30"`), `"1e30": is no unsigned integer of 64 bits`},
		{span(`"droppedLinksCount":4294967296`), `"4294967296": is no unsigned integer of 32 bits`},
		{span(`"attributes":[{"value":{"intValue":"1.5"}}]`), `"1.5": is no integer of 64 bits`},
		{span(`"attributes":[{"value":{"intValue":"9223372036854775808"}}]`), `is no integer of 64 bits`},
		{span(`"attributes":[{"value":{"doubleValue":1e999}}]`), `is no double`},
		{span(`"attributes":[{"value":{"boolValue":"true"}}]`), `AnyValue.boolValue`},
		{span(`"attributes":[{"value":{"bytesValue":"*"}}]`), `"*": is no base64`},
		{span(`"attributes":[{"value":` + value + `}]`), `nested deeper than 32 levels`},
	} {
		_, err := FromJSON([]byte(c.in), SignalTraces)
		if _, ok := errors.AsType[*Malformed](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: got %v, want %s", c.in, err, c.want)
		}
	}
	if _, err := FromJSON([]byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[null]}]}}]}]}]}`), SignalMetrics); err == nil {
		t.Error("a null among numbers was accepted")
	}
}

func FuzzJSON(f *testing.F) {
	for signal, seed := range []string{fullTraces, fullLogs, fullMetrics} {
		f.Add([]byte(seed), signal)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		signal := Signal(uint(n) % Signals)
		j, err := ToJSON(b, signal)
		if err != nil {
			return
		}
		if !json.Valid(j) {
			t.Fatalf("no JSON: %s", j)
		}
		back, err := FromJSON(j, signal)
		if err != nil {
			t.Fatalf("%v of %s", err, j)
		}
		again, err := ToJSON(back, signal)
		if err != nil || !bytes.Equal(j, again) {
			t.Fatalf("%v: there and back\n%s\n%s", err, j, again)
		}
	})
}

func FuzzFromJSON(f *testing.F) {
	for _, seed := range []string{fullTracesJSON, `{"a":[{"b":"\u00e9\\"}],"resourceSpans":[null,{}]}`, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":1e0,"name":null}]}]}]}`} {
		f.Add([]byte(seed), 0)
	}
	f.Add([]byte(fullMetricsJSON), 2)
	f.Fuzz(func(t *testing.T, j []byte, n int) {
		signal := Signal(uint(n) % Signals)
		b, err := FromJSON(j, signal)
		if err != nil {
			return
		}
		if _, err := ToJSON(b, signal); err != nil {
			t.Fatalf("%s became bytes that are %v", j, err)
		}
	})
}
