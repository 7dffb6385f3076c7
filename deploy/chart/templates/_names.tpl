{{- define "foreshock.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "foreshock.labels" -}}
app.kubernetes.io/name: foreshock
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "foreshock.selector" -}}
app.kubernetes.io/name: foreshock
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "foreshock.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- /* The group of the classifiers, as monitor.stream.kafka names it: prefix, then the stage. */ -}}
{{- define "foreshock.classifyGroup" -}}
{{ .Values.kafka.topicPrefix }}classify
{{- end -}}

{{- define "foreshock.check" -}}
{{- if .Values.allInOne.enabled -}}
{{- if or .Values.store.url .Values.kafka.bootstrapServers -}}
{{- fail "allInOne.enabled: leave store.url and kafka.bootstrapServers empty, or switch it off" -}}
{{- end -}}
{{- else -}}
{{- if not (hasPrefix "postgresql" .Values.store.url) -}}
{{- fail "store.url: name PostgreSQL (postgresql://USER@HOST/NAME), or set allInOne.enabled" -}}
{{- end -}}
{{- if regexMatch "^[^:]+://[^/]*:[^/]*@" .Values.store.url -}}
{{- fail "store.url: leave the password out; name the secret that holds it in store.existingSecret" -}}
{{- end -}}
{{- if not .Values.kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers: name the brokers, or set allInOne.enabled" -}}
{{- end -}}
{{- end -}}
{{- end -}}
