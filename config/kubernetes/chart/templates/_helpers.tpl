{{- define "spillway.labels" -}}
app.kubernetes.io/name: spillway
{{- end }}
{{/* A shipped manifest, in the release's namespace. */}}
{{- define "spillway.file" -}}
{{ .root.Files.Get .file | replace "spillway-system" .root.Release.Namespace | replace "kueue-system" .root.Values.doctor.kueueNamespace }}
{{- end }}
{{- define "spillway.manager" -}}
{{- if not (has .Values.role (list "mirror" "nominate" "embedded")) }}{{ fail (printf "role: found %q, expected mirror, nominate or embedded" .Values.role) }}{{ end }}
{{- if ne .Values.role "embedded" }}true{{ end }}
{{- end }}
{{/* What the role needs in spillway.yaml; values.config is laid over it. */}}
{{- define "spillway.settings" -}}
data_dir: /var/lib/spillway
listen: 0.0.0.0:6443
hosts: {{ printf "spillway.%s.svc" .Release.Namespace }}{{ with .Values.hosts }},{{ . }}{{ end }}
log:
  format: json
{{- if include "spillway.manager" . }}
manager:
  role: {{ .Values.role }}
  kubeconfig: manager.kubeconfig
  {{- if .Values.importMultikueue }}
  import_multikueue: true
  {{- end }}
{{- else if .Values.bootstrap }}
bootstrap: [queue.yaml]
{{- end }}
clusters_dir: /etc/spillway-workers
{{- if .Values.policy }}
policy:
  file: /etc/spillway/policy.lua
{{- end }}
{{- end }}
