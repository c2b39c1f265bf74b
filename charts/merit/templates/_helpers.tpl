{{- define "merit.fullname" -}}
{{- if contains "merit" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-merit" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "merit.selector" -}}
app.kubernetes.io/name: merit
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "merit.labels" -}}
{{ include "merit.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "merit.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "merit.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* The operator, as the API server names it. */ -}}
{{- define "merit.user" -}}
{{- printf "system:serviceaccount:%s:%s" .Release.Namespace (include "merit.serviceAccount" .) -}}
{{- end -}}

{{- /* CEL: the PodSpec p has no access to its node. */ -}}
{{- define "merit.noHostAccess" -}}
p.?hostNetwork.orValue(false) != true && p.?hostPID.orValue(false) != true
        && p.?hostIPC.orValue(false) != true
        && p.?volumes.orValue([]).all(v, !has(v.hostPath))
        && (p.?containers.orValue([]) + p.?initContainers.orValue([]))
             .all(c, c.?securityContext.?privileged.orValue(false) != true)
{{- end -}}

{{- define "merit.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- /* The namespaces that are watched, as JSON; empty: the whole cluster. */ -}}
{{- define "merit.namespaces" -}}
{{- dig "watch" "namespaces" (list) .Values.config | toJson -}}
{{- end -}}

{{- /*
The operator's rights on ModelDeployments and their children. There is no `create` on
modeldeployments on purpose: a server-side apply must never create a deleted object again.
tests/apiserver/test_rights.py compares them with the audit log: none is missing, none is left over.
*/ -}}
{{- define "merit.rules" -}}
- apiGroups: [merit.dev]
  resources: [modeldeployments]
  verbs: [get, list, watch, patch]
- apiGroups: [merit.dev]
  resources: [modeldeployments/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [apps]
  resources: [controllerrevisions]
  verbs: [get, list, create, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [batch]
  resources: [cronjobs]
  verbs: [get]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- /* The requests that the admission policies about ModelDeployments match. */ -}}
{{- define "merit.modelDeployments" -}}
resourceRules:
- {apiGroups: [merit.dev], apiVersions: ["*"], resources: [modeldeployments], operations: [CREATE, UPDATE]}
{{- end -}}

{{- /* The pod templates of a ModelDeployment, as CEL paths below spec. */ -}}
{{- define "merit.templates" -}}
{{- dict "serving" "?serving.?template" "evaluation" "?evaluation.?job.?template" "retrain" "?retrain.?job.?template" | toJson -}}
{{- end -}}
