import { notFound } from 'next/navigation';
import { SeanceClient, SeanceError } from '@seance/client';
import { baseUrl } from '../../../seance';
import { Door } from './Door';

export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  const client = new SeanceClient({ baseUrl }); // one for each request: it may hold somebody's tokens
  try {
    const [session, layout] = await Promise.all([client.sessions.get(id), client.layouts.get('classic-en@1')]);
    return <Door session={session} layout={layout} />;
  } catch (error) {
    if (error instanceof SeanceError && error.code === 'SESSION_NOT_FOUND') notFound();
    throw error;
  }
}
