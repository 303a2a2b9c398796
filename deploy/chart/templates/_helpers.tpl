{{- define "globolatte.labels" -}}
app.kubernetes.io/name: globolatte
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "globolatte.image" -}}
{{ required "images.registry: the container registry" .root.Values.images.registry }}/{{ .name }}:{{ required "images.tag: the tag that CI built" .root.Values.images.tag }}
{{- end }}

{{- define "globolatte.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "globolatte.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "globolatte.environment" -}}
envFrom:
  - configMapRef:
      name: {{ .Release.Name }}-settings
  - secretRef:
      name: {{ .Release.Name }}-secrets
{{- end }}

{{- define "globolatte.mounts" -}}
# Dagster writes beside its configuration, and a config map is read-only: the files lie in a folder of the pod's own.
- name: instance-folder
  mountPath: /opt/dagster/instance
- name: instance
  mountPath: /opt/dagster/instance/dagster.yaml
  subPath: dagster.yaml
- name: instance
  mountPath: /opt/dagster/instance/workspace.yaml
  subPath: workspace.yaml
- name: home
  mountPath: /var/lib/globolatte
- name: secrets
  mountPath: /mnt/secrets
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end }}

{{- define "globolatte.volumes" -}}
- name: instance-folder
  emptyDir: {}
- name: instance
  configMap:
    name: {{ .Release.Name }}-instance
- name: home
  persistentVolumeClaim:
    claimName: {{ .Release.Name }}-home
- name: secrets
  csi:
    driver: secrets-store.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ .Release.Name }}-secrets
- name: tmp
  emptyDir: {}
{{- end }}
