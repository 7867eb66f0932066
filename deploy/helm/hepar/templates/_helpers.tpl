{{- define "hepar.labels" -}}
app.kubernetes.io/name: hepar
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "hepar.image" -}}
{{ with .root.Values.image.registry }}{{ . }}/{{ end }}{{ .name }}:{{ .root.Values.image.tag }}
{{- end }}

{{- define "hepar.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "hepar.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* The Guard refuses a Host that is not ours: probes name one that is. */}}
{{- define "hepar.probe" -}}
httpGet: { path: {{ .path }}, port: http, httpHeaders: [{ name: Host, value: "127.0.0.1" }] }
{{- end }}

{{- define "hepar.environment" -}}
{{- $prefix := printf "HEPAR_%s" (upper .component) -}}
- { name: {{ $prefix }}_DRAIN_DELAY_S, value: "5" }
- { name: {{ $prefix }}_METRICS_PORT, value: "9100" }
{{- with .root.Values.tracing }}
{{- if .endpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .endpoint | quote }} }
- { name: OTEL_TRACES_SAMPLER, value: {{ .sampler | quote }} }
{{- end }}
{{- end }}
{{- if eq .component "gateway" }}
- { name: HEPAR_GATEWAY_HOSTS, value: {{ list .root.Values.host "127.0.0.1" | toJson | quote }} }
- { name: HEPAR_GATEWAY_AUTH_URL, value: "http://{{ .root.Release.Name }}-auth:8101" }
- { name: HEPAR_GATEWAY_CLASSIFY_URL, value: "http://{{ .root.Release.Name }}-classify:8102" }
- { name: HEPAR_GATEWAY_DETECT_URL, value: "http://{{ .root.Release.Name }}-detect:8103" }
- { name: HEPAR_GATEWAY_STUDY_URL, value: "http://{{ .root.Release.Name }}-study:8104" }
- { name: HEPAR_GATEWAY_TRUSTED_PROXIES, value: {{ .root.Values.ingress.trustedProxies | toJson | quote }} }
- { name: HEPAR_GATEWAY_CORS_ORIGINS, value: {{ .root.Values.corsOrigins | toJson | quote }} }
{{- else }}
- { name: {{ $prefix }}_HOSTS, value: {{ list (printf "%s-%s" .root.Release.Name .component) "127.0.0.1" | toJson | quote }} }
{{- end }}
{{- if eq .component "auth" }}
- { name: HEPAR_AUTH_PUBLIC_URL, value: "https://{{ .root.Values.host }}" }
- { name: HEPAR_AUTH_PROXIES, value: {{ .root.Values.podNetworks | toJson | quote }} }
- { name: HEPAR_AUTH_SIGNUP, value: {{ .root.Values.signup | quote }} }
{{- with .root.Values.email }}
{{- if .host }}
- { name: HEPAR_AUTH_SMTP_HOST, value: {{ .host | quote }} }
- { name: HEPAR_AUTH_SMTP_PORT, value: {{ .port | quote }} }
- { name: HEPAR_AUTH_SMTP_SECURITY, value: {{ .security | quote }} }
- { name: HEPAR_AUTH_SMTP_USER, value: {{ .user | quote }} }
- { name: HEPAR_AUTH_EMAIL_SENDER, value: {{ required "email.sender is required with email.host" .sender | quote }} }
- { name: HEPAR_AUTH_EMAIL_VERIFICATION, value: {{ .verification | quote }} }
{{- end }}
{{- end }}
{{- end }}
{{- if eq .component "study" }}
{{ include "hepar.studyEnvironment" .root }}
{{- end }}
{{- if or (eq .component "classify") (eq .component "detect") }}
- { name: {{ $prefix }}_AUTH_URL, value: "http://{{ .root.Release.Name }}-auth:8101" }
- { name: {{ $prefix }}_TRITON, value: "{{ .root.Release.Name }}-triton:8001" }
{{- end }}
{{- end }}

{{/* Of study_service: of its API and of its workers. */}}
{{- define "hepar.studyEnvironment" -}}
- { name: HEPAR_STUDY_AUTH_URL, value: "http://{{ .Release.Name }}-auth:8101" }
- { name: HEPAR_STUDY_CLASSIFY_URL, value: "http://{{ .Release.Name }}-classify:8102" }
- { name: HEPAR_STUDY_DETECT_URL, value: "http://{{ .Release.Name }}-detect:8103" }
- { name: HEPAR_STUDY_PROXIES, value: {{ .Values.podNetworks | toJson | quote }} }
- { name: HEPAR_STUDY_OBJECTS_URL, value: {{ .Values.study.objectsUrl | quote }} }
- { name: HEPAR_STUDY_SPOOL_FOLDER, value: /spool }
- { name: HEPAR_STUDY_RETENTION_DAYS, value: {{ .Values.study.retentionDays | quote }} }
{{- end }}

{{- define "hepar.studyVolumes" -}}
- { name: spool, emptyDir: { sizeLimit: 4Gi } }
{{- if .Values.study.claim }}
- { name: studies, persistentVolumeClaim: { claimName: {{ .Values.study.claim }} } }
{{- end }}
{{- end }}

{{- define "hepar.studyMounts" -}}
- { name: spool, mountPath: /spool }
{{- if .Values.study.claim }}
- { name: studies, mountPath: /var/lib/hepar }
{{- end }}
{{- end }}

{{/* Only what the component needs of the Secret, at /run/secrets, for its user alone. */}}
{{- define "hepar.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ .root.Values.secret }}
    defaultMode: 0440
    optional: false
    items:
    {{- range .keys }}
      - { key: {{ . }}, path: {{ . }} }
    {{- end }}
{{- end }}
