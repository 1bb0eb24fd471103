/** One request on the way through the whole API. */
export interface Step {
  /** The endpoint: "TaskService.CreateTask". */
  of: string;
  /** What it is called; what the endpoint does when absent. */
  name?: string;
  /** Tag in whose folder it is; that of the endpoint when absent. */
  folder?: string;
  /** What there is to know about it besides. */
  note?: string;
  /** Fields of the body that differ from the example; null leaves one out. */
  body?: Readonly<Record<string, unknown>>;
  /** Parameters of the query that are sent though the endpoint does not need them always. */
  query?: readonly string[];
  /** Values of path parameters that are not those of the variables of their names. */
  path?: Readonly<Record<string, string>>;
  /** The variable whose token is sent; the one of the sign-in when absent. */
  token?: string;
  /** Variables that the answer sets, with the path in its data that each takes. */
  saves?: Readonly<Record<string, string>>;
}

const longRunning = 'sleep 30';

/**
 * The order in which the requests of a collection can be run from top to bottom, on an installation that people use: what is
 * changed or deleted was created on the way, nobody is signed out, and the password of the one who runs it stays. Endpoints
 * that are not named come at the end.
 */
export const tour: readonly Step[] = [
  {
    of: 'AuthService.Login',
    name: 'Sign in',
    body: { username: '{{username}}', password: '{{password}}' },
    saves: { token: 'access_token', my_id: 'user.id' },
  },
  { of: 'AuthService.RefreshToken', saves: { refreshed_token: 'access_token' } },
  {
    of: 'AuthService.Logout',
    token: 'refreshed_token',
    note: 'Here it signs out the token that was got in exchange, so that the one of the sign-in goes on working.',
  },

  { of: 'SystemService.GetHealth' },
  { of: 'SystemService.GetDetailedHealth' },
  { of: 'SystemService.GetSystemInfo' },

  { of: 'MaintenanceService.StartMaintenance' },
  { of: 'MaintenanceService.GetMaintenance' },
  { of: 'MaintenanceService.EndMaintenance' },

  { of: 'UserService.GetProfile' },
  { of: 'UserService.UpdatePreferences' },
  {
    of: 'UserService.CreateUser',
    body: { username: 'johndoe-{{random}}', email: 'john-{{random}}@example.com' },
    saves: { user_id: 'id', new_username: 'username' },
  },
  { of: 'UserService.ListUsers' },
  { of: 'UserService.GetUser' },
  {
    of: 'AuthService.Login',
    name: 'Sign in as the new user',
    folder: 'User',
    body: { username: '{{new_username}}' },
    saves: { user_token: 'access_token' },
  },
  {
    of: 'UserService.ChangePassword',
    token: 'user_token',
    note: 'Here the new user changes the password, so that yours stays as it is.',
  },
  { of: 'UserService.UpdateUser', body: { email: 'john-{{random}}@example.com', status: 'active' } },
  { of: 'UserService.CreateApiKey', saves: { key_id: 'id' } },
  { of: 'UserService.ListApiKeys' },
  { of: 'UserService.DeleteApiKey' },

  { of: 'ProjectService.CreateProject', saves: { project_id: 'id' } },
  { of: 'ProjectService.ListProjects' },
  { of: 'ProjectService.GetProject' },
  { of: 'ProjectService.UpdateProject' },
  { of: 'ProjectService.AddMember', body: { username: null, user_id: '{{user_id}}' } },
  { of: 'ProjectService.ListMembers' },
  { of: 'ProjectService.UpdateMember' },
  { of: 'ProjectService.RemoveMember' },
  { of: 'ProjectService.CloneProject', saves: { cloned_project_id: 'id' } },
  {
    of: 'ProjectService.DeleteProject',
    path: { project_id: '{{cloned_project_id}}' },
    note: 'Here it deletes the copy, so that the requests after it have their project.',
  },

  {
    of: 'SessionService.CreateSession',
    body: { project_id: '{{project_id}}' },
    saves: { session_id: 'session_id', session_created_at: 'created_at' },
  },
  { of: 'SessionService.ListSessions' },
  { of: 'SessionService.GetSession' },
  { of: 'SessionService.UpdateSession' },
  { of: 'SessionService.GetSessionHistory' },
  { of: 'SessionService.RestoreSession', body: { restore_point: '{{session_created_at}}' } },
  { of: 'SessionService.DeleteSession' },

  {
    of: 'TaskService.CreateTask',
    body: { assigned_to: '{{my_id}}', command: longRunning, schedule: null },
    saves: { task_id: 'id' },
  },
  { of: 'TaskService.ListTasks' },
  { of: 'TaskService.ListProjectTasks' },
  { of: 'TaskService.GetTask' },
  { of: 'TaskService.UpdateTask', body: { status: null } },
  { of: 'TaskService.BulkUpdateTasks' },
  { of: 'TaskService.GetTaskHistory' },
  { of: 'TaskService.ExecuteTask', saves: { execution_id: 'execution_id' } },
  { of: 'TaskService.GetTaskExecution' },
  { of: 'TaskService.CancelTask' },
  { of: 'TaskService.RetryTask' },
  { of: 'TaskService.CancelTask', name: 'Cancel the retried task' },
  { of: 'TaskService.DeleteTask' },

  { of: 'QueueService.GetQueueStatus' },
  { of: 'QueueService.PauseQueue' },
  { of: 'QueueService.ResumeQueue' },
  { of: 'QueueService.ClearQueue' },
  { of: 'QueueService.GetQueueMetrics' },
  { of: 'QueueService.ListDeadLetters' },
  { of: 'QueueService.ReplayDeadLetters', note: 'Ids of messages that are not there are left out.' },
  { of: 'QueueService.ChangeQueuePriority', note: 'Tasks that do not wait in a queue are told among the failed ones.' },

  { of: 'CommandService.ValidateCommand' },
  { of: 'CommandService.ListCommandSuggestions' },
  {
    of: 'CommandService.ExecuteCommand',
    body: { command: longRunning, working_directory: null },
    saves: { command_id: 'command_id' },
  },
  { of: 'CommandService.GetCommandStatus' },
  { of: 'CommandService.ListRunningCommands' },
  { of: 'CommandService.CancelCommand' },
  { of: 'CommandService.ListCommandHistory' },

  {
    of: 'LiveService.StreamCommand',
    note: 'The command has ended above, so the stream tells all that it wrote, and ends.',
  },
  { of: 'LiveService.StreamEvents', query: ['project_id'], note: 'It goes on until you stop it.' },

  { of: 'AnalyticsService.GetProjectAnalytics' },

  { of: 'WebhookService.ListEventTypes' },
  { of: 'WebhookService.CreateWebhook', body: { project_id: '{{project_id}}' }, saves: { webhook_id: 'id' } },
  { of: 'WebhookService.ListWebhooks' },
  { of: 'WebhookService.GetWebhook' },
  { of: 'WebhookService.UpdateWebhook' },
  { of: 'WebhookService.RotateSecret' },
  { of: 'WebhookService.TestWebhook', saves: { delivery_id: 'id' } },
  { of: 'WebhookService.ListDeliveries' },
  { of: 'WebhookService.GetDelivery' },
  { of: 'WebhookService.Redeliver' },
  { of: 'WebhookService.StartReplay', saves: { replay_id: 'id' } },
  { of: 'WebhookService.GetReplay' },
  { of: 'WebhookService.GetWebhookStatistics' },
  { of: 'WebhookService.PauseWebhook' },
  { of: 'WebhookService.ResumeWebhook' },
  { of: 'WebhookService.DeleteWebhook' },

  {
    of: 'NotificationService.ListNotifications',
    note: 'The newest is used below; there is one at least, of the maintenance that was announced above.',
    saves: { notification_id: 'items[0].id' },
  },
  { of: 'NotificationService.ReadNotification' },
  { of: 'NotificationService.ReadAllNotifications' },
  { of: 'NotificationService.DismissNotification' },
];
