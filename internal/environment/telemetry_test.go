package environment

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rehearse-dev/rehearse"
)

// TestWithTelemetry holds what services find in their environment: nothing leads
// to where the Compose file would have sent telemetry, and what it says of the
// service stays.
func TestWithTelemetry(t *testing.T) {
	plan := &rehearse.Plan{
		Leg: rehearse.Staging(),
		Services: []rehearse.Service{
			{Name: "plain"},
			{Name: "own", Env: map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces.example",
				"OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/key",
				"OTEL_SERVICE_NAME": "Owner", "OTEL_RESOURCE_ATTRIBUTES": "team=a", "OTHER": "x",
			}, Process: &rehearse.Process{Env: map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_RESOURCE_ATTRIBUTES": "team=b", "PORT": "1",
			}}},
		},
	}
	o := Options{ID: "shop-1", Plan: plan, Telemetry: &Telemetry{Resource: map[string]string{"vcs.change.id": "12", "vcs.ref.head.revision": "a,b=c"}}}
	const resource = "deployment.environment.name=shop-1,rehearse.environment=shop-1,rehearse.leg=staging,vcs.change.id=12,vcs.ref.head.revision=a%2Cb=c"
	want := []map[string]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://telemetry.rehearse:4318", "OTEL_SERVICE_NAME": "plain", "OTEL_RESOURCE_ATTRIBUTES": resource},
		{
			"OTEL_EXPORTER_OTLP_ENDPOINT": "http://telemetry.rehearse:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
			"OTEL_SERVICE_NAME": "Owner", "OTEL_RESOURCE_ATTRIBUTES": "team=a," + resource, "OTHER": "x",
		},
	}
	before := plan.Services[1].Env["OTEL_EXPORTER_OTLP_ENDPOINT"]
	for i, s := range withTelemetry(o).Services {
		if diff := cmp.Diff(want[i], s.Env); diff != "" {
			t.Errorf("%s (-want +got):\n%s", s.Name, diff)
		}
	}
	process := map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "team=b," + resource, "PORT": "1"}
	if diff := cmp.Diff(process, withTelemetry(o).Services[1].Process.Env); diff != "" {
		t.Errorf("the process (-want +got):\n%s", diff)
	}
	if plan.Services[1].Process.Env["OTEL_RESOURCE_ATTRIBUTES"] != "team=b" || plan.Services[1].Env["OTEL_EXPORTER_OTLP_ENDPOINT"] != before || plan.Services[0].Env != nil {
		t.Error("the plan itself was changed")
	}
	o.Telemetry = nil
	if withTelemetry(o) != plan {
		t.Error("without telemetry the plan is another")
	}
}
