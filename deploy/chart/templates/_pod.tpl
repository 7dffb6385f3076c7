{{- define "foreshock.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "foreshock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "foreshock.env" -}}
{{- if .Values.store.url }}
- name: FORESHOCK__STORE__URL
  {{- $file := "" }}
  {{- if .Values.store.existingSecret }}
  {{- $file = printf "%spassword_file=/run/secrets/store/%s" (ternary "&" "?" (contains "?" .Values.store.url)) .Values.store.key }}
  {{- end }}
  value: {{ printf "%s%s" .Values.store.url $file | quote }}
{{- else }}
- name: FORESHOCK__STORE__URL
  value: sqlite:////data/foreshock.db
{{- end }}
- name: FORESHOCK__WATCHLIST__PATH
  value: /etc/foreshock/watchlist.csv
{{- with .Values.kafka }}
{{- if .bootstrapServers }}
- name: FORESHOCK__STREAM__KIND
  value: kafka
- name: FORESHOCK__STREAM__PARTITIONS
  value: {{ .partitions | quote }}
- name: FORESHOCK__STREAM__KAFKA__BOOTSTRAP_SERVERS
  value: {{ .bootstrapServers | quote }}
- name: FORESHOCK__STREAM__KAFKA__SECURITY_PROTOCOL
  value: {{ .securityProtocol }}
- name: FORESHOCK__STREAM__KAFKA__REPLICATION_FACTOR
  value: {{ .replicationFactor | quote }}
{{- if .topicPrefix }}
- name: FORESHOCK__STREAM__KAFKA__TOPIC_PREFIX
  value: {{ .topicPrefix | quote }}
{{- end }}
{{- if .saslMechanism }}
- name: FORESHOCK__STREAM__KAFKA__SASL_MECHANISM
  value: {{ .saslMechanism }}
- name: FORESHOCK__STREAM__KAFKA__SASL_USERNAME
  value: {{ .saslUsername | quote }}
- name: FORESHOCK__STREAM__KAFKA__SASL_PASSWORD
  value: file:/run/secrets/kafka/{{ .key }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.monitoring.podMonitor (not .Values.monitoring.tokenSecret) }}
- name: FORESHOCK__WEB__OPEN_METRICS
  value: "true"
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "foreshock.mounts" -}}
- {name: settings, mountPath: /etc/foreshock, readOnly: true}
- {name: data, mountPath: /data}
- {name: tmp, mountPath: /tmp}
{{- if .Values.models.existingClaim }}
- {name: models, mountPath: /models}
{{- end }}
{{- if .Values.store.existingSecret }}
- {name: store, mountPath: /run/secrets/store, readOnly: true}
{{- end }}
{{- if .Values.kafka.existingSecret }}
- {name: kafka, mountPath: /run/secrets/kafka, readOnly: true}
{{- end }}
{{- range .Values.secrets }}
- {name: {{ printf "secret-%s" .name }}, mountPath: {{ printf "/run/secrets/%s" .name }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "foreshock.secretVolumes" -}}
{{- if .Values.models.existingClaim }}
- name: models
  persistentVolumeClaim: {claimName: {{ .Values.models.existingClaim }}}
{{- end }}
{{- if .Values.store.existingSecret }}
- name: store
  secret: {secretName: {{ .Values.store.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.kafka.existingSecret }}
- name: kafka
  secret: {secretName: {{ .Values.kafka.existingSecret }}, defaultMode: 0440}
{{- end }}
{{- range .Values.secrets }}
- name: {{ printf "secret-%s" .name }}
  secret: {secretName: {{ .existingSecret }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- /* Takes (dict "root" $ "name" NAME "stage" its-values "data" volume). */ -}}
{{- define "foreshock.pod" -}}
{{- $root := .root -}}
{{- $web := has "web" (splitList "," .stage.stages) -}}
{{- $alone := eq .stage.stages "web" -}}
metadata:
  labels:
    {{- include "foreshock.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
  annotations:
    # A change of settings starts processes anew.
    checksum/settings: {{ printf "%s%s" $root.Values.settings $root.Values.watchlist | sha256sum }}
    {{- with $root.Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "foreshock.name" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # A process finishes its batch, and ends after 25 s at the latest.
  terminationGracePeriodSeconds: 30
  securityContext:
    {{- include "foreshock.podSecurity" $root | nindent 4 }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "foreshock.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ .name }}
  {{- with .stage.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .stage.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: foreshock
      image: {{ .stage.image | default (include "foreshock.image" $root) | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [run, --config, /etc/foreshock/foreshock.toml, --stages, {{ .stage.stages | quote }}]
      env:
        {{- include "foreshock.env" $root | nindent 8 }}
      ports:
        {{- if not $alone }}
        - {name: metrics, containerPort: 9464}
        {{- end }}
        {{- if $web }}
        - {name: web, containerPort: 8501}
        {{- end }}
      {{- $port := ternary "web" "metrics" $alone }}
      startupProbe:
        httpGet: {path: /healthz, port: {{ $port }}}
        periodSeconds: 5
        failureThreshold: 36
        timeoutSeconds: 5
      # Whether the process lives. What it waits for is not its fault: no outage starts it anew. The web process
      # says that it cannot read the database; it is given ten minutes.
      livenessProbe:
        httpGet: {path: /healthz, port: {{ $port }}}
        periodSeconds: 20
        failureThreshold: {{ ternary 30 3 $alone }}
        timeoutSeconds: 5
      readinessProbe:
        httpGet: {path: {{ ternary "/healthz" "/readyz" $alone }}, port: {{ $port }}}
        periodSeconds: 10
        failureThreshold: 3
        timeoutSeconds: 5
      resources:
        {{- toYaml .stage.resources | nindent 8 }}
      securityContext:
        {{- include "foreshock.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        {{- include "foreshock.mounts" $root | nindent 8 }}
  volumes:
    - name: settings
      configMap: {name: {{ include "foreshock.name" $root }}}
    - name: tmp
      emptyDir: {sizeLimit: 512Mi}
    {{- if .claim }}
    - name: data
      persistentVolumeClaim: {claimName: {{ .claim }}}
    {{- else }}
    - name: data
      emptyDir: {sizeLimit: 1Gi}
    {{- end }}
    {{- include "foreshock.secretVolumes" $root | nindent 4 }}
{{- end -}}
